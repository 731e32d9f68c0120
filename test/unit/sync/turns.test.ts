import { expect, it } from 'vitest'
import { Turns } from '../../../src/sync/turns.ts'
import { settle } from '../../support/manual-clock.ts'

/** Work that is under way until it is told to end. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

it('work is done one at a time, in the order in which it was asked for', async () => {
  const turns = new Turns()
  const told: string[] = []
  const gates = [gate(), gate(), gate()]
  const all = gates.map(({ opened }, n) =>
    turns.take(async () => {
      told.push(`begins ${n}`)
      await opened
      told.push(`ends ${n}`)
    }),
  )
  for (const { open } of gates.toReversed()) open()
  await Promise.all(all)
  expect(told).toEqual(['begins 0', 'ends 0', 'begins 1', 'ends 1', 'begins 2', 'ends 2'])
})

it('what the work gives is given on, and an error hands the turn on', async () => {
  const turns = new Turns()
  const failed = turns.take(() => Promise.reject(new Error('it broke')))
  const thrown = turns.take(() => {
    throw new Error('at once')
  })
  const done = turns.take(async () => 'done')
  await expect(failed).rejects.toThrow('it broke')
  await expect(thrown).rejects.toThrow('at once')
  expect(await done).toBe('done')
  expect(await turns.take(async () => 'later')).toBe('later')
})

it('who yields goes on after all who waited, and alone', async () => {
  const turns = new Turns()
  const told: string[] = []
  const held = gate()
  const long = turns.take(async () => {
    told.push('long begins')
    await turns.yield()
    told.push('long goes on')
    await held.opened
    told.push('long ends')
  })
  const short = ['a', 'b'].map((name) => turns.take(async () => void told.push(name)))
  await Promise.all(short)
  const late = turns.take(async () => void told.push('late'))
  await settle()
  expect(told).toEqual(['long begins', 'a', 'b', 'long goes on'])
  held.open()
  await Promise.all([long, late])
  expect(told.slice(4)).toEqual(['long ends', 'late'])
})

it('where nobody waits, yielding keeps the turn', async () => {
  const turns = new Turns()
  const told: string[] = []
  await turns.take(async () => {
    const yielded = turns.yield()
    const next = turns.take(async () => void told.push('next'))
    await yielded
    await settle()
    told.push('still here')
    void next
  })
  await turns.take(async () => {})
  expect(told).toEqual(['still here', 'next'])
})

it('an error of somebody who was let in comes back to them, and the turn to who yielded', async () => {
  const turns = new Turns()
  const long = turns.take(async () => {
    await turns.yield()
    return 'went on'
  })
  await expect(turns.take(() => Promise.reject(new Error('it broke')))).rejects.toThrow('it broke')
  expect(await long).toBe('went on')
})
