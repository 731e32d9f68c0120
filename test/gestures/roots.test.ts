import { describe, expect, it } from 'vitest'
import { realClock } from '../support/temporary-workspace.ts'
import { openWatchedInstance, type WatchedMode } from '../support/watched-instance.ts'
import { rootGestures } from './roots.ts'

/** The root is looked at every two seconds; here that is a moment. */
const quickClock = {
  ...realClock,
  sleep: (ms: number, signal?: AbortSignal) => realClock.sleep(ms >= 1_000 ? ms / 20 : ms, signal),
}

describe.each<WatchedMode>(['native', 'polling'])(
  'the index follows the workspace by %s watching',
  (mode) => {
    it.each(rootGestures.map((gesture) => [gesture.name, gesture] as const))('%s', async (_name, gesture) => {
      const instance = await openWatchedInstance({
        mode,
        clock: quickClock,
        prepare: ({ write }) => {
          write('d/a', 'a')
          write('d/sub/deep/b', 'b')
          write('e/c', 'c')
        },
      })
      try {
        expect((await instance.sync()).outcome).toBe('in-sync')
        await gesture.act(instance)
        expect(instance.watching().mode).toBe(mode)
      } finally {
        await instance.close()
      }
    })
  },
)
