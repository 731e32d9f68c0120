/** Bytes on their way between the workspace and the store, without either knowing the other. */

/** A content that can be read from the start, more than once (a retry reads again). */
export interface ContentSource {
  /** In bytes; what `open` yields is exactly this long, or the reading fails. */
  readonly size: number
  open(signal?: AbortSignal): AsyncIterable<Uint8Array>
}

/** Where a content is written to, in order. `restart` forgets what was written, for a repeated attempt. */
export interface ContentSink {
  write(chunk: Uint8Array): Promise<void> | void
  restart(): Promise<void> | void
}
