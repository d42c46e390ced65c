// The user that containers run as.

/** The image's user. A worker that runs as root gives task directories to it. */
export const IMAGE_UID = 1000

/** Returns `uid:gid` for containers: this process's user, which the worker and the filter share, but never root. */
export const containerUser = (): string => {
  const uid = process.getuid?.() ?? IMAGE_UID
  return uid === 0 ? `${IMAGE_UID}:${IMAGE_UID}` : `${uid}:${process.getgid?.() ?? IMAGE_UID}`
}
