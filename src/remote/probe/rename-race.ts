/**
 * The race that every commit is: one file, many clients, each renames it to a name of its own. What counts is which
 * names hold the file afterwards, never what was answered.
 */
import { ask, get, isDone, type ProbeContext, put, sameBytes, type Told } from './client.ts'
import type { RenameFacts } from './facts.ts'

interface Round {
  readonly holders: number
  readonly isTorn: boolean
  readonly sourceLeft: boolean
  readonly falseSuccess: number
  readonly falseFailure: number
  readonly loserStatuses: readonly number[]
}

/** `destinationForm`: the one that this server takes. */
export async function probeRename(
  context: ProbeContext,
  destinationForm: 'absolute' | 'path',
): Promise<RenameFacts> {
  const rounds: Round[] = []
  for (let index = 0; index < context.effort.raceRounds; index++)
    rounds.push(await race(context, index, destinationForm))
  const count = (test: (round: Round) => boolean) => rounds.filter(test).length
  const sum = (value: (round: Round) => number) => rounds.reduce((total, round) => total + value(round), 0)
  return {
    rounds: rounds.length,
    movers: context.effort.raceMovers,
    one: count(({ holders }) => holders === 1),
    several: count(({ holders }) => holders > 1),
    lost: count(({ holders, sourceLeft }) => holders === 0 && !sourceLeft),
    idle: count(({ holders, sourceLeft }) => holders === 0 && sourceLeft),
    torn: count(({ isTorn }) => isTorn),
    sourceLeft: count(({ holders, sourceLeft }) => holders > 0 && sourceLeft),
    falseSuccess: sum((round) => round.falseSuccess),
    falseFailure: sum((round) => round.falseFailure),
    loserStatuses: [...new Set(rounds.flatMap((round) => round.loserStatuses))].sort((a, b) => a - b),
  }
}

async function race(
  context: ProbeContext,
  index: number,
  destinationForm: 'absolute' | 'path',
): Promise<Round> {
  const source = `${context.folder}round-${index}`
  const content = `round ${index} of a race`
  await put(context, source, content)
  const movers = Array.from({ length: context.effort.raceMovers }, (_, mover) => ({
    client: mover % context.clients.length,
    name: `${source}-to-${mover}`,
  }))
  // The barrier: every mover has its connection open and its answer in hand before the first one starts.
  await Promise.all(movers.map(({ client }) => ask(context, { method: 'HEAD', name: source }, { client })))
  const answers = await Promise.all(
    movers.map(({ client, name }) =>
      ask(
        context,
        { method: 'MOVE', name: source, destination: name, destinationForm, overwrite: false },
        { client, attempts: 1 },
      ),
    ),
  )
  const found = await Promise.all(movers.map(({ client, name }) => get(context, name, client)))
  const left = await get(context, source)
  const has = (told: Told) => told.status === 200
  const losers = answers.filter((_, mover) => !has(found[mover] as Told))
  const winners = answers.filter((_, mover) => has(found[mover] as Told))
  return {
    holders: winners.length,
    isTorn: found.some((told) => has(told) && !sameBytes(told.body, content)),
    sourceLeft: has(left),
    falseSuccess: losers.filter(({ status }) => isDone(status)).length,
    falseFailure: winners.filter(({ status }) => !isDone(status)).length,
    loserStatuses: losers.filter(({ status }) => !isDone(status)).map(({ status }) => status ?? 0),
  }
}
