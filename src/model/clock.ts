/** Time and chance as ports. Nothing below `instance/` reads the system's own. */

export interface Clock {
  /** Milliseconds since 1970 by this machine's wall clock. For display and file times, never to decide who wins. */
  now(): number
  /** Milliseconds of a clock that never goes back. For timeouts, leases and durations. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** `bytes` random bytes as lower-case hexadecimal. Unpredictable: used for tokens and names. */
  hex(bytes: number): string
  /** A fresh UUIDv7 in lower case. */
  uuid(): string
  /** A number in [0, 1). For jitter. */
  fraction(): number
}
