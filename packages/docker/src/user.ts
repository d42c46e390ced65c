// Whose user the containers run as.

/** The user of the image; whoever runs as root gives the directories to it. */
export const IMAGE_UID = 1000

/** `uid:gid` of the containers: that of this process, which the worker and the filter before its engine have in common; never root. */
export const containerUser = (): string => {
  const uid = process.getuid?.() ?? IMAGE_UID
  return uid === 0 ? `${IMAGE_UID}:${IMAGE_UID}` : `${uid}:${process.getgid?.() ?? IMAGE_UID}`
}
