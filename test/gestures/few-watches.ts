/** Run by limits.test.ts, in a process that may have 40 watches. */
import { expect, it } from 'vitest'
import { openWatchedInstance } from '../support/watched-instance.ts'
import { expectPolling } from './expect-polling.ts'

it('polls from its start where there are too few watches', async () => {
  const instance = await openWatchedInstance({
    mode: 'native',
    prepare: ({ write }) => {
      for (let folder = 0; folder < 60; folder++) write(`d${folder}/a`, '1')
    },
  })
  try {
    await expectPolling(instance)
    expect(instance.watching().fallback).toContain('fs.inotify.max_user_watches')
  } finally {
    await instance.close()
  }
})

it('polls from the moment at which there are too few', async () => {
  const instance = await openWatchedInstance({ mode: 'native', prepare: ({ write }) => write('d/a', '1') })
  try {
    expect(instance.watching()).toMatchObject({ mode: 'native', fallback: null })
    expect(instance.database.problems.count()).toBe(0)
    for (let folder = 0; folder < 60; folder++) instance.files.write(`d${folder}/a`, '1')
    await expectPolling(instance)
    expect(instance.watching().fallback).toContain('fs.inotify.max_user_watches')
  } finally {
    await instance.close()
  }
})
