import { describe, expect, it } from 'vitest'
import type { DoctorReport, FindingLevel } from '../../../src/instance/doctor.ts'
import type { ErrorCode } from '../../../src/model/errors.ts'
import { aProcess } from '../../support/fake-engine.ts'

function aReport(change: Partial<DoctorReport> = {}): DoctorReport {
  return {
    url: 'https://dav.example.org/team',
    verdict: 'safe',
    server: [{ id: 'rename', level: 'good', summary: 'one of 8 clients had the file' }],
    machine: [],
    error: null,
    facts: { server: null, machine: {} as DoctorReport['facts']['machine'] },
    requests: 12,
    bytesSent: 1,
    bytesReceived: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 1_500,
    ...change,
  }
}

async function run(report: DoctorReport, ...argv: string[]) {
  const process = aProcess('/nowhere')
  process.engine.report = report
  return { code: await process.run('doctor', ...argv), process }
}

describe('davit doctor', () => {
  it('prints the verdict, what was found, and what to do', async () => {
    const { code, process } = await run(
      aReport({
        verdict: 'works',
        machine: [{ id: 'space', level: 'but', summary: 'only 3 MB are free', advice: 'Make room.' }],
      }),
    )
    expect(code).toBe(0)
    expect(process.stdout()).toBe(`https://dav.example.org/team (12 requests, 1.5 s)
works, but look at what is marked

server
  ok   rename              one of 8 clients had the file

this machine
  but  space               only 3 MB are free
                           → Make room.
`)
  })

  it('prints one document with --json, which is the report', async () => {
    const report = aReport()
    const { process } = await run(report, '--json')
    expect(JSON.parse(process.stdout())).toEqual(report)
  })

  it.each<[FindingLevel, number]>([
    ['good', 0],
    ['note', 0],
    ['but', 0],
    ['missing', 1],
  ])('ends with a worst finding of %s with %i, on either side', async (level, expected) => {
    const finding = { id: 'x', level, summary: 'x' }
    expect((await run(aReport({ server: [finding] }))).code).toBe(expected)
    expect((await run(aReport({ machine: [finding] }))).code).toBe(expected)
  })

  it.each<[ErrorCode, number]>([
    ['remote-unreachable', 5],
    ['remote-busy', 5],
    ['remote-unauthorized', 2],
  ])('ends, when the server is %s, with %i', async (code, expected) => {
    const error = { code, message: 'it is so' }
    expect((await run(aReport({ verdict: 'unknown', error, server: [] }))).code).toBe(expected)
  })

  it('takes nothing from the server for what a terminal would obey', async () => {
    const summary = 'between: \u001b[2J'
    const { process } = await run(aReport({ server: [{ id: 'x', level: 'note', summary, advice: summary }] }))
    expect(process.stdout()).not.toContain('\u001b')
  })

  it('is ended by a signal only after the scratch folder was removed', async () => {
    const process = aProcess('/nowhere')
    const running = process.run('doctor')
    await expect.poll(() => process.listeners.size).toBe(1)
    process.signal()
    expect(await running).toBe(130)
    expect(process.stderr()).toContain('interrupted')
    expect([process.exits, process.listeners.size]).toEqual([[], 0])
  })
})
