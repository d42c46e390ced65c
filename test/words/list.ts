// The words that docs/glossary.md leaves out, as patterns, each with what to write instead.

export type LeftOutWord = {
  /** Matches the word in lower-cased prose. */
  readonly pattern: RegExp
  readonly instead: string
}

const word = (source: string, instead: string): LeftOutWord => ({
  pattern: new RegExp(`\\b(?:${source})\\b`, 'g'),
  instead,
})

export const LEFT_OUT_WORDS: readonly LeftOutWord[] = [
  word('told|tells?|telling', 'record, notify, report or return'),
  word('hears?|heard', 'receive or read'),
  word('lanes?', 'queue or destination'),
  word('obeys?|obedience', 'run the command'),
  word('doors?|knocks?', 'access'),
  word('visits?', 'connection or lease'),
  word('(?:an|the|this|each|every|pending|unanswered) asks?|asks of', 'request'),
  word('offers? of models|model offers?', 'available models'),
  word('(?:is|are|was|were) away', 'is unavailable or unreachable'),
  word('what is away', 'what is unavailable'),
  word('(?:is|are) well', 'is healthy'),
  word('anew', 'again'),
  word('for good', 'permanently'),
  word('by then|by that', 'until then'),
  word('in vain', 'without success'),
  word('of ours|of yours|of theirs', 'our, your, their'),
  word('whoever', 'the caller, the reader: name them'),
  word('hands of', 'consumers'),
  word('way out', 'egress or proxy'),
  word('(?:lets?|letting) go', 'release'),
  word('clears? away|cleared away|clearing away', 'remove'),
  word('made ready', 'prepare'),
  word('(?<!there )(?:is|are|was|were) none', 'does not exist'),
  word('not taken', 'not accepted'),
  word('is not known here', 'unknown'),
]
