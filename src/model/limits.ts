/** Every bound of the product in one place: bytes, counts and times that loops, queues and messages keep to. */

/** Operations of one changeset. */
export const changesetOperationsMax = 5_000
/** Plain text of one changeset, in bytes. */
export const changesetPlainBytesMax = 4 * 1024 * 1024
/** Stored (compressed) bytes of one changeset. */
export const changesetStoredBytesMax = 5 * 1024 * 1024
/** Contents uploaded for one commit of an import, in bytes; a single larger file goes alone. */
export const commitContentBytesMax = 1024 * 1024 * 1024
/** Ancestors named in a changeset's header. */
export const ancestorsMax = 32
/** Metadata of one file as canonical JSON, in bytes. */
export const metadataBytesMax = 64 * 1024
/** A path in UTF-8 bytes, and one segment of it. */
export const pathBytesMax = 4_096
export const segmentBytesMax = 255
/** A file's size in bytes. */
export const fileBytesMax = Number.MAX_SAFE_INTEGER
/** A checkpoint's size in bytes. */
export const checkpointBytesMax = 4 * 1024 * 1024 * 1024
/** A multistatus answer in bytes. */
export const multistatusBytesMax = 64 * 1024 * 1024
/** A JSON body of the API, in bytes. */
export const requestBodyBytesMax = 1024 * 1024
/** The JSON body that resolves a conflict, in bytes: it may carry a merged text of `mergeTextBytesMax` as base64. */
export const resolutionBodyBytesMax = 12 * 1024 * 1024
/** How deep the JSON of a body may nest. */
export const requestBodyDepthMax = 64
/** A JSON body has to arrive completely within this time, in milliseconds. */
export const requestBodyMs = 30_000
/** An upload may pause this long between two pieces, in milliseconds. */
export const uploadIdleMs = 60_000
/** Clients of the event stream at one time. */
export const eventStreamsMax = 1_000
/** Bytes that may wait for one client of the event stream. */
export const eventStreamWaitingBytesMax = 4 * 1024 * 1024
/** How long a client of the event stream may leave what waits for it, in milliseconds. */
export const eventStreamStallMs = 30_000
/** Time between two comment lines of the event stream, in milliseconds. */
export const eventStreamHeartbeatMs = 15_000
/** Rows of one page of a list. */
export const pageRowsMax = 1_000
/** Candidates of one conflict. */
export const candidatesMax = 64
/** Rounds of pull, reconcile and commit in one run before it says that it cannot keep up. */
export const runRoundsMax = 200
/** A text that is merged line by line, in bytes. */
export const mergeTextBytesMax = 8 * 1024 * 1024
/** Comparisons of lines for one side of a text merge; what would cost more counts as replaced as a whole. */
export const mergeComparisonsMax = 20_000_000
/** A lease of the maintenance lock, in milliseconds. */
export const lockLeaseMs = 60_000
/** `davit.yml`, in characters, and lists and maps within each other in it. */
export const configurationCharactersMax = 64 * 1024
export const configurationDepthMax = 20
/** An error's message, in characters: a sentence, also when it quotes what somebody wrote. */
export const messageLengthMax = 2_000
/** Hashes of orphans that one changeset takes in. */
export const adoptsMax = 1_000
/** Nesting of a JSON value in a changeset. */
export const jsonDepthMax = 32
/** Looks at `version/` before zero names or several are believed, and the time between two of them. */
export const headLooksMax = 3
export const headLookIntervalMs = 1_000
/** Times that one commit repeats its rename, and rounds of healing. */
export const commitAttemptsMax = 16
export const healRoundsMax = 16
/** Uploads of one object, each under a name of its own, and readings of one object, before it is given up. */
export const uploadAttemptsMax = 5
export const readAttemptsMax = 4
/** Waiting between two attempts of the protocol grows from the one to the other. */
export const attemptDelayBaseMs = 100
export const attemptDelayMaxMs = 5_000
/** Redirects followed for one request. */
export const redirectsMax = 5
/** The longest Retry-After that is obeyed, in milliseconds. */
export const retryAfterMaxMs = 60_000
/** From this size on a folder is made before the upload is tried, so that no body is sent in vain. */
export const folderFirstBytes = 256 * 1024
/** Changesets read ahead in parallel, and their stored bytes kept while the chain is walked back. */
export const readAheadMax = 8
export const chainKeptBytesMax = 32 * 1024 * 1024
/** Files in `instances/` that are read, and the size of one. */
export const instancesMax = 1_000
export const instanceFileBytesMax = 8 * 1024
/** Times that a probe asks before it takes a busy or silent server for an answer. */
export const probeAttemptsMax = 4
/** The answer that a probe reads as a whole, in bytes. */
export const probeAnswerBytesMax = 4 * 1024 * 1024
/** The longest time that a server is probed, in milliseconds. */
export const probeMs = 15 * 60_000
/** A scratch folder of another machine's probe is taken for abandoned after this time by the server's clock, in milliseconds. */
export const probeAbandonedMs = 60 * 60_000
/** Folders in folders that are emptied one by one where a server does not delete a whole folder. */
export const probeFolderDepthMax = 64
/** Folders that are counted to tell whether the system's watches are enough. */
export const countedFoldersMax = 1_000_000
/** The longest name in the store, a checkpoint's, in bytes; and its path below the root, in characters. */
export const storeNameBytesMax = 105
export const storePathCharsMax = 117
/** A difference between two machines' clocks that is worth telling, in milliseconds. */
export const clockSkewNotedMs = 2 * 60_000
/** Free space on a disk that is worth telling, in bytes. */
export const freeBytesNoted = 512 * 1024 * 1024
