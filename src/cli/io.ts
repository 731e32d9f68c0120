/** The process as the commands see it, so that tests can be one. */

export interface Output {
  write(text: string | Uint8Array): unknown
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  /** Somebody looks at the output: colours, tables cut to the window, progress bars. */
  readonly isTerminal: boolean
  readonly columns: number
  readonly environment: {
    readonly NO_COLOR?: string | undefined
    readonly [name: string]: string | undefined
  }
  readonly cwd: string
  /** Calls the listener for each SIGINT and SIGTERM, until the returned function is called. */
  onSignal(listener: () => void): () => void
  /** Ends the process at once. */
  exit(code: number): void
}

/** The real process. */
export function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    isTerminal: process.stdout.isTTY === true && process.stderr.isTTY === true,
    columns: process.stdout.columns ?? 80,
    environment: process.env,
    cwd: process.cwd(),
    onSignal(listener) {
      process.on('SIGINT', listener)
      process.on('SIGTERM', listener)
      return () => {
        process.off('SIGINT', listener)
        process.off('SIGTERM', listener)
      }
    },
    exit: (code) => process.exit(code),
  }
}
