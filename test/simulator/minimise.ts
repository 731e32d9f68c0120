/** A failing plan with everything left out that it does not need to fail in the same way. */
import type { Plan } from './plan.ts'
import { type Result, simulate } from './simulation.ts'

/** `null` when it does not fail. Greedy: chunks first, then entry by entry, until nothing more can go. */
export async function minimise(plan: Plan, invariant: string, triesMax: number): Promise<Plan> {
  let best = plan
  let tries = 0
  const fails = async (candidate: Plan): Promise<boolean> => {
    tries += 1
    const { violation } = await simulate(candidate, { keepTrace: false })
    return violation?.invariant === invariant
  }
  for (let size = Math.ceil(best.events.length / 2); size >= 1; ) {
    let isShorter = false
    for (let from = 0; from < best.events.length && tries < triesMax; ) {
      const candidate = { ...best, events: best.events.toSpliced(from, size) }
      if (await fails(candidate)) {
        best = candidate
        isShorter = true
      } else {
        from += size
      }
    }
    if (tries >= triesMax || (size === 1 && !isShorter)) break
    if (size > 1) size = Math.ceil(size / 2)
  }
  for (const kind of Object.keys(best.faults)) {
    const candidate = { ...best, faults: { ...best.faults, [kind]: 0 } }
    if (tries < triesMax && (await fails(candidate))) best = candidate
  }
  return best
}

/** What a person reads: the plan, and what came of it. */
export function describe(plan: Plan, result: Result): string {
  const { violation } = result
  const faults = Object.entries(plan.faults).filter(([, rate]) => rate !== 0 && rate !== null)
  return [
    `seed ${plan.seed} breaks ${violation?.invariant}: ${violation?.detail}`,
    '',
    `server ${plan.profile}, latency ${plan.latencyMs.min}–${plan.latencyMs.max} ms, faults ${JSON.stringify(Object.fromEntries(faults))}`,
    ...plan.instances.map((instance) => `instance ${JSON.stringify(instance)}`),
    '',
    ...plan.events.map(
      ({ atMs, kind, who, seed }) =>
        `${String(atMs).padStart(8)} ms  ${(plan.instances[who]?.name ?? String(who)).padEnd(6)} ${kind} (${seed})`,
    ),
    '',
    ...result.lines,
  ].join('\n')
}
