/** What the system refuses or drops: events beyond its queue, watches beyond its limit. */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openWatchedInstance, type WatchedInstance } from '../support/watched-instance.ts'
import { whileStopped } from '../support/while-stopped.ts'
import { expectPolling } from './expect-polling.ts'

const opened: WatchedInstance[] = []
afterEach(async () => {
  for (const instance of opened.splice(0)) await instance.close()
})

/** Shell: more events than the queue holds. Appends to two files in turn, since equal ones in a row would be one. */
function flood(): string {
  const queue = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))
  return `i=0; while [ $i -lt ${queue + 4_000} ]; do echo >>d/x; echo >>d/y; i=$((i+2)); done`
}

describe('a queue of events that really overflows', () => {
  it('loses nothing: neither what changed, nor what changes later in folders that nobody was told of', async () => {
    const instance = await openWatchedInstance({
      mode: 'native',
      prepare: ({ write }) => {
        write('d/a', '1')
        write('old/deep/b', '2')
      },
    })
    opened.push(instance)
    const dropped =
      'mkdir -p fresh/deep/er && echo 3 >fresh/deep/c && mv old renamed && echo 4 >renamed/deep/e && rm d/a'
    await whileStopped(instance.files.root, `${flood()}; ${dropped}`)
    await instance.follows()
    expect(instance.told.some(({ kind }) => kind === 'everything')).toBe(true)

    const told = instance.told.length
    for (const folder of ['d', 'fresh', 'fresh/deep', 'fresh/deep/er', 'renamed/deep'])
      fs.writeFileSync(instance.files.at(`${folder}/later`), 'later')
    await instance.follows()
    expect(instance.told.slice(told).every(({ kind }) => kind === 'paths')).toBe(true)
    expect(instance.watching()).toMatchObject({ mode: 'native', fallback: null })
  })

  it('the edit of .davitignore that was dropped is followed', async () => {
    const instance = await openWatchedInstance({
      mode: 'native',
      prepare: ({ write }) => {
        write('.davitignore', 'build/\n')
        write('build/deep/x', '1')
        write('d/a', '1')
      },
    })
    opened.push(instance)
    await whileStopped(instance.files.root, `${flood()}; rm .davitignore`)
    await instance.follows()
    fs.writeFileSync(instance.files.at('build/deep/later'), 'later')
    await instance.follows()
    expect(instance.database.trees.localAt('build/deep/later')).not.toBeNull()
  })
})

/** In a user namespace of its own a process may be given fewer watches than the system has. */
const canLimitWatches =
  spawnSync('unshare', [
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    'echo 40 >/proc/sys/user/max_inotify_watches',
  ]).status === 0

/** A test of its own, in a process that may have so few watches. What it printed where it failed; `''` when it passed. */
async function runWithFewWatches(file: string): Promise<string> {
  const vitest = path.resolve('node_modules/vitest/vitest.mjs')
  const argv = [process.execPath, vitest, 'run', '--config', 'test/gestures/few-watches.config.ts', file]
  const script = 'echo 40 >/proc/sys/user/max_inotify_watches && exec "$@"'
  const child = spawn('unshare', ['--user', '--map-root-user', 'sh', '-c', script, 'sh', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  })
  let printed = ''
  child.stdout.on('data', (data) => {
    printed += String(data)
  })
  child.stderr.on('data', (data) => {
    printed += String(data)
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  return code === 0 ? '' : printed
}

describe('watches beyond the limit', () => {
  if (canLimitWatches) {
    it('it polls instead, says so, and follows: at its start and later', async () => {
      expect(await runWithFewWatches('test/gestures/few-watches.ts')).toBe('')
    })
  } else {
    it('it polls instead, says so, and follows: where the probe of the events is refused', async () => {
      const instance = await openWatchedInstance({
        mode: 'native',
        // No probe can be made there, and nothing be promised of the events.
        prepare: ({ at }) => fs.writeFileSync(at('.davit/probe'), 'a file'),
      })
      opened.push(instance)
      await expectPolling(instance)
    })
  }
})
