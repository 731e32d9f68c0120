/** Explores scenarios and prints what came of it. Run by `scripts/model-check.mjs`, which compiles it first. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openScenario } from './begin.ts'
import { type Exploration, explore } from './explore.ts'
import { rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const print = (text: string) => process.stdout.write(`${text}\n`)
const migrations = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../migrations')

export interface Report extends Exploration {
  readonly seconds: number
  /** Of one processor. */
  readonly processorSeconds: number
  /** Places of single writers, and runs of the real code that it took to find them. */
  readonly places: number
  readonly runs: number
  /** Changesets made twice by one process with the same bytes, where real nonces would differ. */
  readonly repeated: number
}

export async function check(
  scenario: Scenario,
  bounds: { readonly seconds: number },
  showsProgress = false,
): Promise<Report> {
  const startedMs = performance.now()
  const usedBefore = process.cpuUsage()
  const opened = await openScenario(scenario, migrations)
  const { histories } = opened.rules
  try {
    const exploration = await explore(opened.rules, opened.judge, opened.first, {
      statesMax: 5_000_000,
      isOver: () => performance.now() - startedMs > bounds.seconds * 1000,
      ...(showsProgress
        ? {
            onProgress: (states, waiting) =>
              void process.stderr.write(`\r${states} states, ${waiting} wait, ${histories.runs} runs   `),
          }
        : {}),
    })
    const seconds = (performance.now() - startedMs) / 1000
    const used = process.cpuUsage(usedBefore)
    const processorSeconds = (used.user + used.system) / 1e6
    return {
      ...exploration,
      seconds,
      processorSeconds,
      places: histories.places,
      runs: histories.runs,
      repeated: opened.rules.book.repeated,
    }
  } finally {
    opened.dispose()
  }
}

function tell(scenario: Scenario, report: Report): void {
  const { states, steps, agreed, violation, isComplete, seconds, processorSeconds, runs, met } = report
  const verdict =
    violation !== null ? 'VIOLATION' : isComplete ? 'complete, no violation, no dead end' : 'NOT COMPLETE'
  const seen = Object.entries(met).map(([what, times]) => `${what} ${times}`)
  print(
    `${scenario.name} (${scenario.writers} writers): ${verdict}; ${states} states, ${steps} steps, ${agreed} ends, ${runs} runs of the real code, ${seconds.toFixed(1)} s (${processorSeconds.toFixed(1)} s of one processor)${seen.length > 0 ? `; met: ${seen.join(', ')}` : ''}`,
  )
  if (violation === null) return
  print(`  ${violation.what}`)
  for (const [index, step] of violation.trace.entries()) print(`  ${String(index + 1).padStart(3)}. ${step}`)
}

async function main(args: readonly string[]): Promise<number> {
  const option = (name: string) => {
    const index = args.indexOf(`--${name}`)
    return index < 0 ? null : (args[index + 1] ?? '')
  }
  const without = option('without')
  const rule = without === null ? null : rules.find(({ name }) => name === without)
  if (rule === undefined) {
    print(`there is no rule '${without}'; known: ${rules.map(({ name }) => name).join(', ')}`)
    return 2
  }
  const name = option('scenario') ?? rule?.noticedBy ?? null
  const chosen = scenarios.filter((scenario) => name === null || scenario.name === name)
  if (chosen.length === 0) {
    print(`there is no scenario '${name}'; known: ${scenarios.map((scenario) => scenario.name).join(', ')}`)
    return 2
  }
  const seconds = Number(option('seconds') ?? '1800')
  const writers = option('writers')
  let failed = false
  for (const scenario of chosen) {
    const asked = writers === null ? scenario : { ...scenario, writers: Number(writers) }
    const report = await check(asked, { seconds }, process.stderr.isTTY)
    tell(asked, report)
    const isNoticed = report.violation !== null
    if (rule !== null)
      print(
        isNoticed
          ? `noticed: without '${rule.name}' after ${report.states} states`
          : `NOT NOTICED: ${rule.name}`,
      )
    failed ||= rule === null ? isNoticed || !report.isComplete : !isNoticed
  }
  return failed ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))
