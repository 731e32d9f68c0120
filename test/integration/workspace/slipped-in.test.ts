/**
 * Somebody writes, saves or deletes between any two system calls of a step; or any of these calls fails. Whatever the
 * step answers, what that person wrote is there afterwards, and a step that is done without doubt tells the truth.
 */
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isDavitError } from '../../../src/model/errors.ts'
import type { DiskStamp } from '../../../src/model/file-state.ts'
import { systemFileCalls } from '../../../src/workspace/file-calls.ts'
import { holdFolder } from '../../../src/workspace/safe-path.ts'
import type { OldContent, RemoveResult, StepResult, Workspace } from '../../../src/workspace/workspace.ts'
import { interposeCalls, systemFailure, type UpcomingCall } from '../../support/interposed-calls.ts'
import {
  filesBelow,
  openTemporaryWorkspace,
  stageText,
  stampAt,
  type TemporaryWorkspace,
} from '../../support/temporary-workspace.ts'

const id = '00000000-0000-7000-8000-000000000001'
const attributes = { executable: true, mtimeUs: 1_600_000_000_000_000 }
type Step = (workspace: Workspace, seen: DiskStamp) => Promise<StepResult | RemoveResult>

async function placing(
  workspace: Workspace,
  target: string,
  expected: DiskStamp | null,
  old: OldContent = 'trash',
) {
  const staged = await stageText(workspace, 'ours')
  return workspace.place(staged, target, { expected, attributes, old, durable: false })
}

/** Each acts on `d/a`, which holds `old!` with an mtime of long ago. */
const steps: Record<string, Step> = {
  'place a new file': (workspace) => placing(workspace, 'd/new/a', null),
  'replace a file': (workspace, seen) => placing(workspace, 'd/a', seen),
  'remove a file': (workspace, expected) => workspace.remove('d/a', { expected, old: 'trash' }),
  'replace a file for good': (workspace, seen) => placing(workspace, 'd/a', seen, 'drop'),
  'remove a file for good': (workspace, expected) => workspace.remove('d/a', { expected, old: 'drop' }),
  'move a file': (workspace, seen) => workspace.move('d/a', 'd/b', seen),
  'park a file': (workspace, seen) => workspace.park(id, 'd/a', seen),
  'set attributes': (workspace, seen) => workspace.setAttributes('d/a', seen, attributes),
}

/** What an editor may do to a file; the words stay as long as those they replace. */
const gestures: Record<string, (file: string) => void> = {
  'written in place': (file) => fs.writeFileSync(file, 'edit', { flag: 'r+' }),
  appended: (file) => fs.appendFileSync(file, 'edit'),
  'saved by renaming over': (file) => {
    fs.writeFileSync(`${file}.save`, 'edit')
    fs.renameSync(`${file}.save`, file)
  },
  'replaced by an older file': (file) => {
    fs.writeFileSync(`${file}.save`, 'edit')
    fs.utimesSync(`${file}.save`, 1_400_000_000, 1_400_000_000)
    fs.renameSync(`${file}.save`, file)
  },
  'deleted and created': (file) => {
    fs.rmSync(file, { force: true })
    fs.writeFileSync(file, 'edit')
  },
}

/** The one window that a system without an exchanging rename leaves; see RACE in place.ts. */
function isAcceptedRace(step: string, gesture: string, call: UpcomingCall): boolean {
  if (gesture === 'written in place' || gesture === 'appended') return false
  return (
    step.startsWith('replace a file') &&
    call.name === 'renameSync' &&
    String(call.args[0]).includes('/staged-')
  )
}

describe('what slips in', () => {
  const interposed = interposeCalls()
  let temporary: TemporaryWorkspace
  let seen: DiskStamp

  beforeEach(async () => {
    temporary = await openTemporaryWorkspace({ fileCalls: interposed.calls })
  })
  afterEach(() => temporary.dispose())

  async function begin(): Promise<void> {
    interposed.arm(Number.POSITIVE_INFINITY, () => undefined)
    for (const folder of ['d', '.davit/trash', '.davit/tmp', '.davit/parked'])
      fs.rmSync(temporary.at(folder), { recursive: true, force: true })
    for (const folder of ['.davit/tmp', '.davit/parked']) fs.mkdirSync(temporary.at(folder))
    temporary.write('d/a', 'old!')
    fs.utimesSync(temporary.at('d/a'), 1_500_000_000, 1_500_000_000)
    seen = await stampAt(temporary.workspace, 'd/a')
  }
  async function callsOf(step: Step): Promise<number> {
    await begin()
    interposed.arm(Number.POSITIVE_INFINITY, () => undefined)
    await step(temporary.workspace, seen)
    return interposed.count()
  }
  function everything(): string[] {
    return filesBelow(temporary.root).map((file) => fs.readFileSync(file, 'utf8'))
  }

  for (const [stepName, step] of Object.entries(steps)) {
    const targets = stepName === 'place a new file' ? ['d/new/a'] : ['d/a', 'd/b']
    for (const [gestureName, gesture] of Object.entries(gestures)) {
      it(`${stepName}: what is ${gestureName} at any moment stays`, async () => {
        const calls = await callsOf(step)
        expect(calls).toBeGreaterThan(5)
        for (const target of targets)
          for (let at = 0; at < calls; at++) {
            await begin()
            let edited = false
            let overwritten = false
            interposed.arm(at, (call) => {
              if (isAcceptedRace(stepName, gestureName, call)) return
              // An editor that has the file open needs it; one that creates needs the folder.
              const inPlace = gestureName === 'written in place'
              if (!fs.existsSync(temporary.at(inPlace ? target : path.dirname(target)))) return
              overwritten = target !== 'd/a' && fs.existsSync(temporary.at(target))
              gesture(temporary.at(target))
              edited = true
            })
            const result = await step(temporary.workspace, seen)
            const where = `${target} before call ${at}, ${JSON.stringify(result)}`
            const all = everything()
            if (edited)
              expect(
                all.some((text) => text.endsWith('edit')),
                where,
              ).toBe(true)
            // Who saves over the new name replaces what has arrived there by then.
            const keepsOld = stepName !== 'place a new file' && !stepName.endsWith('for good')
            if (keepsOld && target === 'd/b' && !overwritten)
              expect(
                all.some((text) => text.startsWith('old!') || text === 'ours'),
                where,
              ).toBe(true)
            const parked = temporary.read(`.davit/parked/${id}`)
            if (parked !== null) expect(parked, where).toBe('old!')
            if (result.kind !== 'done' || !('stamp' in result) || result.racy) continue
            // No doubt was told: what the caller will record has to be so, or has to differ visibly.
            const done = stepName === 'move a file' ? 'd/b' : (targets[0] as string)
            const found = await temporary.workspace.look(done)
            const same =
              found?.kind === 'file' && JSON.stringify(found.stamp) === JSON.stringify(result.stamp)
            if (same) expect(temporary.read(done), where).toBe(stepName.includes('place a') ? 'ours' : 'old!')
          }
      })
    }

    if (stepName.endsWith('for good')) continue
    for (const code of ['EIO', 'ENOSPC', 'EDQUOT', 'EPERM'])
      it(`${stepName}: ${code} from any call loses nothing`, async () => {
        const calls = await callsOf(step)
        for (let at = 0; at < calls; at++) {
          await begin()
          interposed.arm(at, (call) => {
            // A failed close of a folder that was only read has no effect that could be lost.
            if (call.name !== 'closeSync') throw systemFailure(code)
          })
          let result: unknown
          try {
            result = await step(temporary.workspace, seen)
          } catch (error) {
            result = error
            expect(isDavitError(error), `call ${at}: ${String(error)}`).toBe(true)
          }
          expect(
            everything().some((text) => text === 'old!'),
            `call ${at}: ${String(result)}`,
          ).toBe(true)
        }
      })
  }

  it('a folder that is swapped for a link is never written through', async () => {
    const outside = fs.mkdtempSync(path.join(path.dirname(temporary.root), 'outside-'))
    fs.writeFileSync(path.join(outside, 'a'), 'old!')
    for (const [stepName, step] of Object.entries(steps)) {
      const calls = await callsOf(step)
      for (let at = 0; at < calls; at++) {
        await begin()
        interposed.arm(at, () => {
          fs.renameSync(temporary.at('d'), temporary.at('moved'))
          fs.symlinkSync(outside, temporary.at('d'))
        })
        try {
          await step(temporary.workspace, seen)
        } catch (error) {
          expect(isDavitError(error, 'path-unsafe', 'file-changed'), `${stepName}, ${at}: ${error}`).toBe(
            true,
          )
        }
        expect(fs.readdirSync(outside), `${stepName} before call ${at}`).toEqual(['a'])
        expect(fs.readFileSync(path.join(outside, 'a'), 'utf8')).toBe('old!')
        if (fs.lstatSync(temporary.at('d'), { throwIfNoEntry: false })?.isSymbolicLink() === true)
          fs.unlinkSync(temporary.at('d'))
        fs.rmSync(temporary.at('moved'), { recursive: true, force: true })
      }
    }
  })

  it('a folder that was moved away is known not to be in its place', () => {
    temporary.write('d/a', '1')
    const held = holdFolder(systemFileCalls, temporary.root, 'd', { make: false })
    if (held.kind !== 'held') throw new Error('not held')
    expect(held.folder.isInPlace()).toBe(true)
    fs.renameSync(temporary.at('d'), `${temporary.root}-away`)
    expect(held.folder.isInPlace()).toBe(false)
    fs.mkdirSync(temporary.at('d'))
    expect(held.folder.isInPlace()).toBe(false)
    held.folder.close()
  })

  it('a file is placed and replaced where hard links are impossible', async () => {
    const noLinks = {
      ...interposed.calls,
      linkSync: () => {
        throw systemFailure('EPERM')
      },
    }
    const other = await openTemporaryWorkspace({ fileCalls: noLinks })
    try {
      expect((await placing(other.workspace, 'a', null)).kind).toBe('done')
      expect(await placing(other.workspace, 'a', null)).toEqual({ kind: 'changed' })
      other.write('a', 'old!')
      expect((await placing(other.workspace, 'a', await stampAt(other.workspace, 'a'))).kind).toBe('done')
      expect(other.read('a')).toBe('ours')
      expect(other.kept()).toContain('old!')
      expect((await other.workspace.move('a', 'b', await stampAt(other.workspace, 'a'))).kind).toBe('done')
      expect(other.read('b')).toBe('ours')
    } finally {
      await other.dispose()
    }
  })
})
