/** Whether a finished write is seen by the next read of somebody else, several pairs of clients at once. */
import { ask, get, isDone, list, type ProbeContext, put, sameBytes, type Told } from './client.ts'
import type { VisibilityFacts } from './facts.ts'

interface Tally {
  looks: number
  stale: number
  replacedLooks: number
  replacedStale: number
}

export async function probeVisibility(
  context: ProbeContext,
  destinationForm: 'absolute' | 'path',
): Promise<VisibilityFacts> {
  const tally: Tally = { looks: 0, stale: 0, replacedLooks: 0, replacedStale: 0 }
  const lanes = context.clients.map((_, index) => index)
  await Promise.all(lanes.map((lane) => runLane(context, destinationForm, lane, tally)))
  return { ...tally, cacheAnswers: await cacheAnswers(context) }
}

/** Each pair works in a folder of its own: some servers break a listing off when a name goes away meanwhile. */
async function runLane(
  context: ProbeContext,
  destinationForm: 'absolute' | 'path',
  lane: number,
  tally: Tally,
): Promise<void> {
  const folder = `${context.folder}lane-${lane}/`
  const [writer, reader] = [lane, (lane + 1) % context.clients.length]
  await ask(context, { method: 'MKCOL', name: folder }, { client: writer })

  async function look(names: readonly string[], absent: string): Promise<void> {
    const note = (isRight: boolean) => {
      tally.looks++
      if (!isRight) tally.stale++
    }
    for (const name of names) {
      const content = await get(context, folder + name, reader)
      note(content.status === 200 && sameBytes(content.body, `content ${lane}`))
      note((await ask(context, { method: 'HEAD', name: folder + name }, { client: reader })).status === 200)
    }
    note((await get(context, folder + absent, reader)).status === 404)
    note((await ask(context, { method: 'HEAD', name: folder + absent }, { client: reader })).status === 404)
    const { listing } = await list(context, folder, reader)
    const found = listing?.entries.map((entry) => entry.name).filter((name) => name !== 'replaced')
    note(found?.sort().join() === names.join())
  }

  for (let round = 0; round < context.effort.visibilityRounds; round++) {
    const [first, second] = [`first-${round}`, `second-${round}`]
    // Asked for before it is there: that there is nothing can be remembered, too.
    await look([], first)
    await put(context, folder + first, `content ${lane}`, writer)
    await look([first], second)
    const moved = await ask(
      context,
      {
        method: 'MOVE',
        name: folder + first,
        destination: folder + second,
        destinationForm,
        overwrite: false,
      },
      { client: writer },
    )
    // A rename that was refused is nothing to be seen.
    const [last, gone] = isDone(moved.status) ? [second, first] : [first, second]
    await look([last], gone)
    await ask(context, { method: 'DELETE', name: folder + last }, { client: writer })
    await look([], last)
    await put(context, `${folder}replaced`, `replaced in round ${round}`, writer)
    const replaced = await get(context, `${folder}replaced`, reader)
    tally.replacedLooks++
    if (!sameBytes(replaced.body, `replaced in round ${round}`)) tally.replacedStale++
  }
}

/** Asks as a browser does, without forbidding caches to answer. */
async function cacheAnswers(context: ProbeContext): Promise<boolean> {
  const name = `${context.folder}cached`
  const headers = { 'cache-control': 'max-age=3600', pragma: '' }
  const askAllowing = (): Promise<Told> => ask(context, { method: 'GET', name, headers }, { client: 1 })
  await put(context, name, 'before')
  for (let times = 0; times < 3; times++) await askAllowing()
  await put(context, name, 'after')
  return sameBytes((await askAllowing()).body, 'before')
}
