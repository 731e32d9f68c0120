/**
 * `davit doctor`: measures what the server really does and looks at this machine, then says what it means. Safe beside
 * running instances: on the server it writes into a scratch folder of its own, here it only reads.
 */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { type ErrorCode, isDavitError } from '../model/errors.ts'
import type { ProbeEffort } from '../remote/probe/effort.ts'
import type { ServerFacts } from '../remote/probe/facts.ts'
import type { Finding } from '../remote/probe/finding.ts'
import { judgeServer } from '../remote/probe/findings.ts'
import { type ProbeReport, probeServer } from '../remote/probe/probe-server.ts'
import type { ProbeOwner } from '../remote/probe/scratch.ts'
import { requestUrl } from '../remote/transport.ts'
import type { Configuration } from './configuration.ts'
import { judgeLocal } from './judge-local.ts'
import { gatherLocalFacts, type LocalFacts } from './local-facts.ts'
import { openTransport } from './open-transport.ts'
import { bootId, machineId, processStart, systemClock, systemRandom } from './system.ts'

export type { Finding, FindingLevel } from '../remote/probe/finding.ts'

export interface DoctorReport {
  /** Without credentials. */
  readonly url: string
  /** `works`: with drawbacks that are told. `unknown`: the server could not be measured. */
  readonly verdict: 'safe' | 'works' | 'not-safe' | 'unknown'
  readonly server: readonly Finding[]
  readonly machine: readonly Finding[]
  /** Why the server could not be measured, or not to its end. */
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } | null
  /** What was measured, for programs. `null` when it was not. */
  readonly facts: { readonly server: ServerFacts | null; readonly machine: LocalFacts }
  readonly requests: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
}

export interface DoctorOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (name: string, done: number, total: number) => void
  readonly effort?: Partial<ProbeEffort>
}

/** Rejects with the signal's reason only: whatever the server or this machine does is part of the report. */
export async function examine(
  configuration: Configuration,
  options: DoctorOptions = {},
): Promise<DoctorReport> {
  const clock = systemClock
  const [startedAt, startedMonotonic] = [clock.now(), clock.monotonic()]
  const machineFacts = await gatherLocalFacts(configuration, options.signal)
  const machine = judgeLocal(machineFacts)
  let report: ProbeReport | null = null
  let error: DoctorReport['error'] = null
  try {
    report = await measure(configuration, options)
  } catch (failure) {
    options.signal?.throwIfAborted()
    if (!isDavitError(failure)) throw failure
    const { code, message, hint } = failure
    error = { code, message, ...(hint === undefined ? {} : { hint }) }
  }
  const server = [
    ...(error === null ? [] : [judgeError(error)]),
    ...(report === null ? [] : [...judgeServer(report.facts), ...judgeScratch(report)]),
  ]
  const { requests, bytesSent, bytesReceived } = report?.traffic ?? {
    requests: 0,
    bytesSent: 0,
    bytesReceived: 0,
  }
  return {
    url: configuration.remote.url,
    verdict: verdictOf([...server, ...machine], report !== null),
    server,
    machine,
    error,
    facts: { server: report?.facts ?? null, machine: machineFacts },
    requests,
    bytesSent,
    bytesReceived,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: Math.round(clock.monotonic() - startedMonotonic),
  }
}

function measure(configuration: Configuration, options: DoctorOptions): Promise<ProbeReport> {
  const ports = { clock: systemClock, random: systemRandom }
  const connect = (above: number) => {
    const root = openTransport(configuration, ports)
    if (above === 0) return root
    void root.close()
    return openTransport(configuration, ports, requestUrl(root, { name: '', above }))
  }
  return probeServer({
    connect,
    ...ports,
    owner: scratchOwner(),
    ...(options.effort === undefined ? {} : { effort: options.effort }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  })
}

/** Pure. */
export function verdictOf(findings: readonly Finding[], isMeasured: boolean): DoctorReport['verdict'] {
  if (findings.some(({ level }) => level === 'missing')) return 'not-safe'
  if (!isMeasured) return 'unknown'
  return findings.some(({ level }) => level === 'but') ? 'works' : 'safe'
}

/** A server that is away may be any server; one that answers, but not as WebDAV does, is none for Davit. */
function judgeError({ code, message, hint }: NonNullable<DoctorReport['error']>): Finding {
  const isAway = ['remote-unreachable', 'remote-busy', 'remote-full', 'remote-unauthorized'].includes(code)
  return {
    id: 'remote',
    level: isAway ? 'but' : 'missing',
    summary: isAway ? `it could not be measured: ${message}` : `not safe: ${message}`,
    ...(hint === undefined ? {} : { advice: hint }),
  }
}

function judgeScratch({ left, cleaned }: ProbeReport): Finding[] {
  const findings: Finding[] = []
  if (left !== null) {
    findings.push({
      id: 'scratch',
      level: 'note',
      summary: `the scratch folder ${left} could not be removed; it does no harm`,
      advice: 'The next `davit doctor` tries again; or delete it by hand.',
    })
  }
  if (cleaned > 0)
    findings.push({ id: 'scratch', level: 'note', summary: `${cleaned} left by an earlier doctor removed` })
  return findings
}

/** The pid and the start of a process name it for good on one running system; of another system nothing is known. */
function scratchOwner(): ProbeOwner {
  const machine = createHash('sha256')
    .update([machineId(), bootId() ?? '', hostname()].join('\n'))
    .digest('hex')
    .slice(0, 16)
  const startOf = (pid: number) => processStart(pid)?.replace(/\D/g, '') ?? ''
  const tagOf = (pid: number, start: string) => `${machine}-${pid}-${start === '' ? '0' : start}`
  return {
    tag: tagOf(process.pid, startOf(process.pid)),
    isGone(tag) {
      const [of, pid] = tag.split('-')
      if (of !== machine) return null
      const start = processStart(Number(pid))
      // Where starts are not told, a process of that number may be any: it is left to its age.
      if (startOf(process.pid) === '') return null
      return start === null || start.startsWith('ended') || tagOf(Number(pid), startOf(Number(pid))) !== tag
    },
  }
}
