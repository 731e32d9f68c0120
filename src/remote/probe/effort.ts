/** How much a probe does: more rounds make a race more telling and take longer. */

export interface ProbeEffort {
  /** Clients with connections of their own. */
  readonly clients: number
  readonly raceRounds: number
  readonly raceMovers: number
  readonly visibilityRounds: number
  /** Times that a file is replaced under its readers. */
  readonly replaceRounds: number
  /** The largest body that is tried, and how long one may take before no larger one is tried, in milliseconds. */
  readonly bodyBytesMax: number
  readonly bodyMsMax: number
  readonly pathCharsMax: number
  readonly latencySamples: number
}

/** What a person waits for: some seconds on a server nearby. */
export const usualEffort: ProbeEffort = {
  clients: 4,
  raceRounds: 40,
  raceMovers: 8,
  visibilityRounds: 6,
  replaceRounds: 12,
  bodyBytesMax: 64 * 1024 * 1024,
  bodyMsMax: 5_000,
  pathCharsMax: 1_000,
  latencySamples: 40,
}
