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
