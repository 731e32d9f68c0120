/** What a fact means for a person: a level, a sentence, and what to do. */

/**
 * `good`: as it should be. `note`: worth knowing, changes nothing. `but`: it works, with this drawback. `missing`: it
 * is not safe, or does not work, without this.
 */
export type FindingLevel = 'good' | 'note' | 'but' | 'missing'

export interface Finding {
  /** Stable, such as `rename`; programs match on it. */
  readonly id: string
  readonly level: FindingLevel
  /** What was found and what it means, as a sentence. */
  readonly summary: string
  /** What to do about it. */
  readonly advice?: string
}

export const otherServer =
  'Use another server: Apache, nginx with the dav-ext module, lighttpd and rclone do this right.'
export const pastTheCache =
  'Let the URL of the remote lead past the proxy, or switch its cache off for this folder.'

/** A status in words. */
export function say(status: number | null): string {
  return status === null ? 'no answer' : String(status)
}

export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
