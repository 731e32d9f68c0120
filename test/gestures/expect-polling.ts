import fs from 'node:fs'
import { expect } from 'vitest'
import type { WatchedInstance } from '../support/watched-instance.ts'

/** That it was asked to watch natively, polls, tells people so, and follows all the same. */
export async function expectPolling(instance: WatchedInstance): Promise<void> {
  await instance.until('it polls', () => instance.watching().mode === 'polling')
  expect(instance.watching().fallback).toContain('polled instead')
  await instance.until('it is told', () => instance.events.some(({ type }) => type === 'problem.detected'))
  const [problem] = instance.database.problems.page({ limit: 10 })
  expect(problem).toEqual({ path: '', code: 'watch-polling', detail: instance.watching().fallback })
  expect(instance.engine.watchMode()).toBe('polling')
  instance.files.write('later/deep/a', '1')
  await instance.until('it follows', () => instance.differences().length === 0)
  fs.rmSync(instance.files.at('later/deep'), { recursive: true })
  await instance.until('it follows', () => instance.differences().length === 0)
}
