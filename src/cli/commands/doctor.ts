/** `davit doctor`: what the server and this machine really do, and what that means. */
import type { DoctorReport, Finding, FindingLevel } from '../../instance/doctor.ts'
import { type CommandContext, loadConfiguration } from '../command.ts'
import { exitCodeOfCode, exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { coloured, formatDuration, print, printable, printJson } from '../output.ts'
import { showSteps } from '../progress-bar.ts'
import { listenForEnd } from '../until-signal.ts'

const words: Readonly<Record<FindingLevel, readonly [string, 'green' | 'dim' | 'yellow' | 'red']>> = {
  good: ['ok', 'green'],
  note: ['note', 'dim'],
  but: ['but', 'yellow'],
  missing: ['NO', 'red'],
}

const verdicts: Readonly<Record<DoctorReport['verdict'], readonly [string, 'green' | 'yellow' | 'red']>> = {
  safe: ['safe: the server and this machine do what Davit needs', 'green'],
  works: ['works, but look at what is marked', 'yellow'],
  'not-safe': ['not safe: something that is needed is missing', 'red'],
  unknown: ['unknown: the server could not be measured', 'yellow'],
}

export async function doctor(context: CommandContext): Promise<number> {
  const { io } = context
  const configuration = await loadConfiguration(context)
  const ending = listenForEnd(io)
  const stop = new AbortController()
  void ending.asked.then(() => stop.abort())
  const steps = await showSteps(io)
  let report: DoctorReport
  try {
    report = await context.engine.examine(configuration, { signal: stop.signal, onProgress: steps.show })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    io.stderr.write('davit: interrupted\n')
    return exitCodes.interrupted
  } finally {
    steps.close()
    ending.forget()
  }
  if (context.json) printJson(io, report)
  else printReport(io, report)
  return exitCodeOfReport(report)
}

/** Something needed is missing: 1. What was not measured says so as every command does. */
export function exitCodeOfReport({ error, server, machine }: DoctorReport): number {
  if (error?.code === 'remote-unauthorized') return exitCodes.usage
  if ([...server, ...machine].some(({ level }) => level === 'missing')) return exitCodes.failed
  return error === null ? exitCodes.inSync : exitCodeOfCode(error.code)
}

function printReport(io: Io, report: DoctorReport): void {
  const [verdict, colour] = verdicts[report.verdict]
  const took = `${report.requests} requests, ${formatDuration(report.durationMs)}`
  print(io, `${printable(report.url)} (${took})`)
  print(io, coloured(io, colour, verdict))
  for (const [title, findings] of [
    ['server', report.server],
    ['this machine', report.machine],
  ] as const) {
    if (findings.length === 0) continue
    print(io, '')
    print(io, coloured(io, 'bold', title))
    for (const finding of findings) printFinding(io, finding)
  }
}

function printFinding(io: Io, { id, level, summary, advice }: Finding): void {
  const [word, colour] = words[level]
  print(io, `  ${coloured(io, colour, word.padEnd(5))}${id.padEnd(20)}${printable(summary)}`)
  if (advice !== undefined) print(io, `${' '.repeat(27)}${coloured(io, 'dim', '→')} ${printable(advice)}`)
}
