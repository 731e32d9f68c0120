/** What probing a server brings to light: plain values, without any judgement. Judged by `findings.ts`. */

/** The status of an answer; `null`: no answer came, though it was asked again where that does no harm. */
export type Status = number | null

export interface PlaceFacts {
  /** Whether the store's folder is there. If not, the folders above it tell what the server does. */
  readonly storeIsThere: boolean
  /** The folder that the scratch folder was made in. */
  readonly measuredIn: string
  /** The server's clock minus this machine's, in milliseconds, to a second or so; `null` without a Date. */
  readonly clockSkewMs: number | null
  /** The Server header. For people: nothing is concluded from it. */
  readonly software: string | null
}

export interface BasicFacts {
  /** A new file, an empty one and a replaced one come back to the byte. */
  readonly put: boolean
  readonly putEmpty: boolean
  readonly replace: boolean
  readonly putWithoutParent: Status
  readonly getMissing: Status
  readonly headMissing: Status
  /** What HEAD says of a file's length. */
  readonly headLength: 'told' | 'absent' | 'wrong'
  readonly remove: boolean
  readonly removeMissing: Status
  readonly mkcol: boolean
  readonly mkcolExisting: Status
  readonly mkcolWithoutParent: Status
  /** What answers a Range request: the part with 206, the whole with 200, or something else. */
  readonly range: 'part' | 'whole' | 'wrong'
}

export interface MoveFacts {
  /** The file stands under its new name, with its bytes, and no longer under the old one. */
  readonly move: boolean
  /** Which forms of Destination rename a file. */
  readonly absoluteDestination: boolean
  readonly pathDestination: boolean
  readonly moveMissing: Status
  readonly moveWithoutParent: Status
  /** A MOVE with `Overwrite: F` onto a file that is there. */
  readonly moveOntoFile: 'refused' | 'replaced' | 'lost'
  readonly copy: boolean
  /** A COPY with `Overwrite: F` onto a file that is there. */
  readonly copyOntoFile: 'refused' | 'replaced'
}

export interface ListingFacts {
  /** The status of PROPFIND with Depth 1. */
  readonly status: Status
  /** Whether the answer could be read as a multistatus. */
  readonly readable: boolean
  readonly listsItself: boolean
  /** Every file and folder that was put there is named, and nothing else. */
  readonly listsAll: boolean
  /** The names of folders end in a slash, those of files do not. */
  readonly marksFolders: boolean
  /** Names that lie deeper than was asked for. */
  readonly tooDeep: boolean
  readonly missing: Status
  /** How names are written: as a path, a whole URL, or something else. */
  readonly hrefs: 'path' | 'url' | 'other'
}

/** Several clients rename one file at once, each to a name of its own, round after round. */
export interface RenameFacts {
  readonly rounds: number
  readonly movers: number
  /** Rounds by how many movers had the file afterwards. */
  readonly one: number
  readonly several: number
  /** Nobody had it, and it was gone; nobody had it, and it stood where it was. */
  readonly lost: number
  readonly idle: number
  /** Rounds in which a name held other bytes than the file had. */
  readonly torn: number
  /** Rounds in which somebody had it and the old name was still there. */
  readonly sourceLeft: number
  /** Answers of success to a mover that had nothing, and others than success to the one that had the file. */
  readonly falseSuccess: number
  readonly falseFailure: number
  /** What losers were told, ascending; 0 stands for no answer. */
  readonly loserStatuses: readonly number[]
}

/** One client writes, renames and deletes; another one looks after each answer, by GET, HEAD and listing. */
export interface VisibilityFacts {
  readonly looks: number
  /** Looks that did not show a finished write, rename or deletion. */
  readonly stale: number
  /** The same for the content of a name that was replaced. */
  readonly replacedLooks: number
  readonly replacedStale: number
  /** Whether an old answer came to a request that allowed caches to answer. */
  readonly cacheAnswers: boolean
}

export interface UploadFacts {
  /** What an upload that was cut in its middle leaves under a new name. */
  readonly cutNew: 'nothing' | 'part' | 'whole'
  /** What it leaves of the file that it was to replace. */
  readonly cutOld: 'kept' | 'part' | 'gone' | 'replaced'
  /** Readers while a file is replaced again and again. */
  readonly replacing: {
    readonly reads: number
    readonly part: number
    readonly missing: number
    /** Errors, and answers that broke off: noticed by any reader. */
    readonly failed: number
  }
}

export type NameFate = 'kept' | 'hidden' | 'changed' | 'refused'

export interface NameFacts {
  /** Two names that differ only in case are two files. */
  readonly caseMatters: boolean
  /** Two spellings of one letter, composed and decomposed, are two files. */
  readonly normalisationMatters: boolean
  /** The longest name in bytes that was kept, up to 255. */
  readonly nameBytesMax: number
  readonly odd: Readonly<Record<OddName, NameFate>>
}

export type OddName = 'space' | 'percent' | 'plus' | 'hash' | 'unicode' | 'leadingDot' | 'trailingDot'

/** A bound that was looked for. `refused` is `null` where nothing was refused up to the largest one tried. */
export interface FoundLimit {
  readonly accepted: number
  readonly refused: number | null
  readonly status: Status
}

export interface LimitFacts {
  /** Bytes of one request's body. */
  readonly body: FoundLimit
  /** Characters of a path, from the folder that was measured in. */
  readonly path: FoundLimit
}

export interface PaceFacts {
  /** Milliseconds. HEAD is the question whether anything changed; a commit is PUT, MOVE and a listing. */
  readonly head: Spread
  readonly commit: Spread
  /** Bytes a second, of one connection. */
  readonly uploadRate: number | null
  readonly downloadRate: number | null
}

export interface Spread {
  readonly samples: number
  readonly median: number
  readonly p95: number
}

/** What was met on the way, in all answers. */
export interface TrafficFacts {
  /** Content-Encodings of answers, although plain bytes were asked for. */
  readonly encodings: readonly string[]
  /** Headers with which caches and proxies show themselves. */
  readonly between: readonly string[]
  readonly redirectedTo: string | null
  /** Answers 429 and 503, how many of them named a time, and the longest time. */
  readonly busy: number
  readonly busyWithRetryAfter: number
  readonly retryAfterMaxMs: number
  /** Requests without a (whole) answer, besides uploads that were cut on purpose. */
  readonly unanswered: number
}

/** `null`: could not be measured; `failures` tells why. */
export interface ServerFacts {
  readonly place: PlaceFacts
  readonly basics: BasicFacts | null
  readonly moves: MoveFacts | null
  readonly listing: ListingFacts | null
  readonly rename: RenameFacts | null
  readonly visibility: VisibilityFacts | null
  readonly uploads: UploadFacts | null
  readonly names: NameFacts | null
  readonly limits: LimitFacts | null
  readonly pace: PaceFacts | null
  readonly traffic: TrafficFacts
  /** Sentences, by the name of what could not be measured. */
  readonly failures: Readonly<Record<string, string>>
}
