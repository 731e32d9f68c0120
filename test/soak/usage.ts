/** What the processes use, over time: the table, and whether it drifts. */
import type { Usage } from './serving.ts'

export interface UsageRow extends Usage {
  readonly minute: number
  readonly instance: string
  readonly version: number
  readonly files: number
}

/** The last quarter may be above the second one by this. */
export const rssDriftFactor = 1.25
export const rssDriftBytes = 32 * 1024 * 1024
export const handlesDrift = 8
/** A WAL larger than this was not checkpointed. */
export const walBytesMax = 64 * 1024 * 1024
/** Fewer rows of an instance say nothing. */
const rowsLeast = 8

const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1)

export const usageHeader =
  'minute  instance      up  RSS MB  handles  threads   db MB  wal MB  trash MB  tmp  version  files'

export function usageLine(row: UsageRow): string {
  const cells: [string, number][] = [
    [row.minute.toFixed(1), 6],
    [row.instance, 9],
    [`${(row.upMs / 60_000).toFixed(1)}m`, 7],
    [megabytes(row.rssBytes), 7],
    [String(row.handles), 8],
    [String(row.threads), 8],
    [megabytes(row.databaseBytes), 7],
    [megabytes(row.walBytes), 7],
    [megabytes(row.trashBytes), 9],
    [String(row.leftovers), 4],
    [String(row.version), 8],
    [String(row.files), 6],
  ]
  return cells.map(([text, width]) => text.padStart(width)).join(' ')
}

/** Sentences about what grew beyond its bound; empty when nothing did. `rows` of any instances, in order of time. */
export function findDrift(rows: readonly UsageRow[]): string[] {
  const findings: string[] = []
  for (const instance of new Set(rows.map((row) => row.instance))) {
    const own = rows.filter((row) => row.instance === instance)
    const largest = Math.max(...own.map(({ walBytes }) => walBytes))
    if (largest > walBytesMax) findings.push(`${instance}: a WAL of ${megabytes(largest)} MB`)
    if (own.length < rowsLeast) continue
    const quarter = (index: number) =>
      own.slice(Math.floor((own.length * index) / 4), Math.floor((own.length * (index + 1)) / 4))
    const rss = [1, 3].map((index) => median(quarter(index).map(({ rssBytes }) => rssBytes))) as [
      number,
      number,
    ]
    if (rss[1] > rss[0] * rssDriftFactor + rssDriftBytes)
      findings.push(`${instance}: RSS grew from ${megabytes(rss[0])} to ${megabytes(rss[1])} MB`)
    const handles = [1, 3].map((index) => median(quarter(index).map((row) => row.handles))) as [
      number,
      number,
    ]
    if (handles[1] > handles[0] + handlesDrift)
      findings.push(`${instance}: handles grew from ${handles[0]} to ${handles[1]}`)
  }
  return findings
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
