import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Holder, liveHolder, lockState, type StateLock } from '../../../src/instance/state-lock.ts'
import { bootId, processStart } from '../../../src/instance/system.ts'

const startedAt = '2026-11-20T12:00:00.000Z'

let folder: string
let taken: StateLock[]
let children: ChildProcess[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-lock-'))
  taken = []
  children = []
})

afterEach(async () => {
  for (const lock of taken) await lock.release()
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function take(): Promise<StateLock> {
  const lock = await lockState(folder, {
    startedAt,
    onLost: (error) => {
      throw error
    },
  })
  taken.push(lock)
  return lock
}

async function release(lock: StateLock): Promise<void> {
  taken = taken.filter((other) => other !== lock)
  await lock.release()
}

/** A process that does nothing, until the test ends or it is told to. */
async function aProcess(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1 << 30)'], { stdio: 'ignore' })
  children.push(child)
  await once(child, 'spawn')
  return child as ChildProcess & { readonly pid: number }
}

/** The number of a process that is gone. */
async function aDeadPid(): Promise<number> {
  const child = await aProcess()
  child.kill('SIGKILL')
  await once(child, 'exit')
  return child.pid
}

/** Leaves the state folder as a holder does that was killed or still runs: its lock, and who it is. */
function leave(holder: Partial<Holder>): void {
  mkdirSync(join(folder, 'lock.lock'))
  const all: Holder = {
    pid: process.pid,
    start: processStart(process.pid),
    host: hostname(),
    boot: bootId(),
    startedAt,
    url: null,
    ...holder,
  }
  writeFileSync(join(folder, 'instance.json'), JSON.stringify(all))
}

const holderNow = () => JSON.parse(readFileSync(join(folder, 'instance.json'), 'utf8')) as Holder

describe('a state folder that is taken', () => {
  it('tells a second taker the pid and the start', async () => {
    await take()
    await expect(take()).rejects.toMatchObject({
      code: 'state-locked',
      message: `another process (pid ${process.pid}, since ${startedAt}) runs on this state folder`,
    })
  })

  it('tells the address too, once there is one', async () => {
    const lock = await take()
    lock.setUrl('http://127.0.0.1:7410')
    await expect(take()).rejects.toMatchObject({ message: expect.stringMatching(/, at http:.*:7410$/) })
    expect(liveHolder(folder)).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:7410' })
    lock.setUrl(null)
    expect(liveHolder(folder)?.url).toBeNull()
  })

  it('lets the next one in after its release, and names nobody', async () => {
    const first = await take()
    await release(first)
    expect(liveHolder(folder)).toBeNull()
    expect(existsSync(join(folder, 'instance.json'))).toBe(false)
    await take()
    expect(liveHolder(folder)?.pid).toBe(process.pid)
  })

  it('is had by exactly one of ten who ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 10 }, () => take()))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused.map(({ code }) => code)).toEqual(Array.from({ length: 9 }, () => 'state-locked'))
  })

  it('is had by exactly one of ten who find a dead holder at once', async () => {
    leave({ pid: await aDeadPid(), start: '1' })
    const asked = await Promise.allSettled(Array.from({ length: 10 }, () => take()))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('a holder that is gone', () => {
  it('is succeeded at once', async () => {
    leave({ pid: await aDeadPid(), start: '1' })
    expect(liveHolder(folder)).toBeNull()
    await take()
    expect(holderNow().pid).toBe(process.pid)
  })

  it.skipIf(processStart(process.pid) === null)('is told from another process with its number', async () => {
    leave({ pid: (await aProcess()).pid, start: 'another start' })
    await take()
    expect(holderNow().pid).toBe(process.pid)
  })

  it.skipIf(processStart(process.pid) === null)('is told from this process with its number', async () => {
    leave({ pid: process.pid, start: 'another start' })
    await take()
    expect(holderNow().start).toBe(processStart(process.pid))
  })

  it.skipIf(bootId() === null)('ran before the machine was started anew', async () => {
    leave({ pid: (await aProcess()).pid, start: null, boot: 'another boot' })
    expect(liveHolder(folder)).toBeNull()
    await take()
    expect(holderNow().boot).toBe(bootId())
  })

  it.each([
    ['nothing', null],
    ['half of it', '{"pid": 12'],
    ['no number', '{"pid": "12"}'],
    ['a group of processes', '{"pid": -1}'],
    ['everybody', '{"pid": 0}'],
  ])('left %s behind to be known by', async (_what, text) => {
    mkdirSync(join(folder, 'lock.lock'))
    if (text !== null) writeFileSync(join(folder, 'instance.json'), text)
    expect(liveHolder(folder)).toBeNull()
    await take()
    expect(holderNow().pid).toBe(process.pid)
  })
})

describe('a holder that is alive', () => {
  it('is another process with its own start', async () => {
    const { pid } = await aProcess()
    leave({ pid, start: processStart(pid) })
    await expect(take()).rejects.toMatchObject({ message: expect.stringContaining(`pid ${pid}`) })
    expect(liveHolder(folder)?.pid).toBe(pid)
  })

  it('may be on another host, whatever its pid and boot say here', async () => {
    leave({ host: 'another host', pid: await aDeadPid(), start: '1', boot: 'another boot' })
    await expect(take()).rejects.toMatchObject({ code: 'state-locked' })
    expect(liveHolder(folder)?.host).toBe('another host')
  })

  it('on another host is succeeded once its lock is stale', async () => {
    leave({ host: 'another host' })
    utimesSync(join(folder, 'lock.lock'), 0, 0)
    await take()
    expect(holderNow().host).toBe(hostname())
  })

  it('is left as it was by those who are refused', async () => {
    const { pid } = await aProcess()
    leave({ pid, start: processStart(pid), url: 'http://127.0.0.1:1' })
    const before = readFileSync(join(folder, 'instance.json'), 'utf8')
    await expect(take()).rejects.toMatchObject({ code: 'state-locked' })
    expect(readFileSync(join(folder, 'instance.json'), 'utf8')).toBe(before)
    expect(existsSync(join(folder, 'lock.lock'))).toBe(true)
    expect(existsSync(join(folder, 'door.lock'))).toBe(false)
  })
})
