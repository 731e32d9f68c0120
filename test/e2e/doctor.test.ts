/** `davit doctor` as a process of its own, on the embedded server, alone and beside a running instance. */
import { readdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfiguration } from '../../src/instance/configuration.ts'
import { type DoctorReport, examine } from '../../src/instance/doctor.ts'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, until } from '../support/process.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }

beforeEach(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav/team'), { recursive: true })
  await mkdir(bench.path('a'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
})
afterEach(async () => {
  await bench.clear()
  await server.close()
})

const scratch = () => readdirSync(bench.path('dav/team')).filter((name) => name.startsWith('doctor-'))
const options = (url: string) => [
  'doctor',
  '--json',
  '--workspace',
  bench.path('a'),
  '--remote',
  `${url}/team`,
]
const effort = {
  raceRounds: 4,
  visibilityRounds: 1,
  replaceRounds: 2,
  bodyBytesMax: 256 * 1024,
  latencySamples: 4,
}

/** In this process, and quickly. */
function examineHere(): Promise<DoctorReport> {
  const remote = `${server.url}/team`
  const sources = { options: { workspace: bench.path('a'), remote }, environment: {}, cwd: bench.folder }
  return examine(loadConfiguration(sources), { effort })
}

describe('doctor', () => {
  it('measures beside an instance that goes on replicating, and leaves the store as it is', async () => {
    const served = await bench.serve('a', '--create', '--remote', `${server.url}/team`, '--instance', 'anna')
    const examined = bench.start(['doctor', '--json'], { cwd: bench.path('a') })
    await until(() => scratch().length === 1, 'the scratch folder')
    await bench.write('a/one.txt', 'one')
    const end = await examined.ended
    expect(end.code, end.stderr).toBe(0)
    const report = end.json<DoctorReport & Record<string, unknown>>()
    expect(report.error).toBeNull()
    expect([...report.server, ...report.machine].filter(({ level }) => level === 'missing')).toEqual([])
    expect(report.facts.server?.rename).toMatchObject({ several: 0, lost: 0 })
    expect(report.facts.machine.index).toMatchObject({ check: 'ok', forks: 0 })
    expect(scratch()).toEqual([])
    const synced = await bench.run(['sync', '--json'], { cwd: bench.path('a') })
    expect([synced.code, synced.json()]).toMatchObject([0, { outcome: 'in-sync', conflicts: 0 }])
    const verified = await bench.run(['verify', '--json'], { cwd: bench.path('a') })
    expect([verified.code, verified.json()]).toMatchObject([0, { discrepancies: [] }])
    await served.process.stop()
  })

  it('removes its scratch folder after Ctrl-C', async () => {
    const examined = bench.start(options(server.url))
    await until(() => scratch().length === 1, 'the scratch folder')
    examined.signal('SIGINT')
    const end = await examined.ended
    expect([end.code, end.stdout]).toEqual([130, ''])
    expect(scratch()).toEqual([])
  })

  it('removes what a killed one left, and not what a living one works in', async () => {
    const [killed, living] = [bench.start(options(server.url)), bench.start(options(server.url))]
    await until(() => scratch().length === 2, 'both scratch folders')
    killed.signal('SIGKILL')
    await killed.ended
    living.signal('SIGSTOP')
    expect(scratch()).toHaveLength(2)
    const { server: findings } = await examineHere()
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'scratch', summary: expect.stringMatching(/^1 .*removed$/) }),
    )
    expect(scratch()).toEqual([expect.stringContaining(`-${living.pid}-`)])
    living.signal('SIGCONT')
    living.signal('SIGINT')
    await living.ended
    expect(scratch()).toEqual([])
  })

  it('ends with 5 where nobody answers, and still tells of this machine', async () => {
    const { url } = server
    await server.close()
    const nobody = await bench.run(options(url))
    expect(nobody.code).toBe(5)
    const report = nobody.json<DoctorReport & Record<string, unknown>>()
    expect(report).toMatchObject({ verdict: 'unknown', error: { code: 'remote-unreachable' } })
    expect(report.machine.map(({ id }) => id)).toContain('workspace')
  })
})
