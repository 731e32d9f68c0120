/** Moments as they stand in the store. */
const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** Whether a text is ISO 8601 in UTC, as instances write it, and names a moment that there is: not the 99th of May. */
export function isInstant(text: string): boolean {
  return pattern.test(text) && !Number.isNaN(Date.parse(text))
}
