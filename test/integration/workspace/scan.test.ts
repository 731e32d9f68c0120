import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { comparePaths } from '../../../src/model/path.ts'
import { type FileCalls, systemFileCalls } from '../../../src/workspace/file-calls.ts'
import { hashFile } from '../../../src/workspace/hash-file.ts'
import { createIgnoreRules } from '../../../src/workspace/ignore-rules.ts'
import { lookAt, type ScanCalls, walk } from '../../../src/workspace/scan.ts'
import { systemFailure } from '../../support/interposed-calls.ts'
import {
  openTemporaryWorkspace,
  scanAll,
  type TemporaryWorkspace,
} from '../../support/temporary-workspace.ts'

let temporary: TemporaryWorkspace
beforeEach(async () => {
  temporary = await openTemporaryWorkspace({ ignore: ['*.bak', 'cache/'] })
})
afterEach(() => temporary.dispose())

const rules = createIgnoreRules({ patterns: [], own: ['.davit'] })

function walkAll(calls: ScanCalls) {
  const batches = [...walk({ root: temporary.root, under: '', rules, calls })]
  return {
    entries: batches.flatMap((batch) => batch.entries.map((entry) => `${entry.kind} ${entry.path}`)),
    problems: batches.flatMap((batch) => batch.problems.map((problem) => `${problem.code} ${problem.path}`)),
  }
}

describe('scan', () => {
  it('follows no links and reports what it skips', async () => {
    temporary.write('real/a', '1')
    fs.mkdirSync(temporary.at('linked'))
    fs.symlinkSync('..', temporary.at('linked/loop'))
    fs.symlinkSync('/etc', temporary.at('etc'))
    fs.symlinkSync('nowhere', temporary.at('dangling'))
    fs.symlinkSync('.davit', temporary.at('state'))
    execFileSync('mkfifo', [temporary.at('pipe')])
    const server = createServer().listen(temporary.at('socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const { entries, problems } = await scanAll(temporary.workspace)
    await new Promise((resolve) => server.close(resolve))
    // What the index knows behind a link is not gone: it cannot be told.
    expect(entries.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'unknown dangling',
      'unknown etc',
      'folder linked',
      'unknown linked/loop',
      'file real/a',
      'unknown state',
    ])
    expect(problems.map(({ code, path }) => `${code} ${path}`).sort()).toEqual([
      'link-skipped dangling',
      'link-skipped etc',
      'link-skipped linked/loop',
      'link-skipped state',
      'special-skipped pipe',
      'special-skipped socket',
    ])
    const behindLink = { kind: 'unknown', why: 'link' }
    expect(await temporary.workspace.look('etc')).toEqual({ ...behindLink, path: 'etc' })
    expect(await temporary.workspace.look('etc/hosts')).toEqual({ ...behindLink, path: 'etc/hosts' })
    expect(await temporary.workspace.look('pipe')).toBeNull()
    await expect(temporary.workspace.hash('etc/hostname')).rejects.toMatchObject({ code: 'path-unsafe' })
    await expect(temporary.workspace.hash('pipe')).rejects.toMatchObject({ code: 'file-changed' })
  })

  it('takes names as they are, and reports those that are no UTF-8', async () => {
    const names = [
      'with space',
      'emoji 🚀',
      'new\nline',
      'e\u0301',
      '\u00e9',
      '\uFFFD',
      'n'.repeat(255),
      'back\\slash',
    ]
    for (const name of names) temporary.write(name, name)
    const invalid = Buffer.concat([Buffer.from(`${temporary.root}/`), Buffer.from([0xff, 0x61])])
    fs.writeFileSync(invalid, '1')
    fs.writeFileSync(Buffer.concat([Buffer.from(`${temporary.root}/`), Buffer.from([0xff])]), '1')
    const { entries, problems } = await scanAll(temporary.workspace)
    expect(entries.map((entry) => entry.path)).toEqual([...names].sort(comparePaths))
    expect(problems).toEqual([{ path: '\uFFFDa', code: 'name-not-utf8' }])
  })

  it('leaves ignored things out, and says which folders hold nothing else', async () => {
    temporary.write('.davitignore', '# comment\nsecret\n!keep.bak\n')
    for (const file of ['a.bak', 'keep.bak', 'cache/x', 'd/cache/y', 'e/secret/z', 'e/f', 'g/h.bak'])
      temporary.write(file, '1')
    const { entries } = await scanAll(temporary.workspace)
    expect(
      entries.map((entry) => {
        const holds = entry.kind === 'folder' && entry.holdsIgnored === true ? ' with what is ignored' : ''
        return `${entry.kind} ${entry.path}${holds}`
      }),
    ).toEqual([
      'file .davitignore',
      'folder d with what is ignored',
      'file e/f',
      'folder g with what is ignored',
      'file keep.bak',
    ])
    expect(temporary.workspace.isIgnored('e/secret/z')).toBe(true)
    expect(temporary.workspace.isIgnored('cache')).toBe(false)
    expect(temporary.workspace.isIgnored('cache', 'folder')).toBe(true)
    expect(temporary.workspace.isIgnored('.davit/metadata.db')).toBe(true)
  })

  it('stops rather than going on without ignore rules that cannot be read', async () => {
    fs.mkdirSync(temporary.at('.davitignore'))
    await expect(scanAll(temporary.workspace)).rejects.toMatchObject({ code: 'file-unreadable' })
  })

  it('takes no failing call for an absence, whichever it is', () => {
    for (const file of ['a', 'd/e/f', 'd/g', 'h/i']) temporary.write(file, '1')
    const whole = walkAll(systemFileCalls).entries
    for (const code of ['EIO', 'EACCES', 'ENOTCONN', 'EMFILE'])
      for (let at = 0; ; at++) {
        let made = 0
        const fail = () => {
          if (made++ === at) throw systemFailure(code)
        }
        const calls: ScanCalls = {
          readEntriesSync: (folder) => {
            fail()
            return systemFileCalls.readEntriesSync(folder)
          },
          readNamesSync: systemFileCalls.readNamesSync,
          lstatSync: (target) => {
            fail()
            return systemFileCalls.lstatSync(target)
          },
        }
        let found: ReturnType<typeof walkAll>
        try {
          found = walkAll(calls)
        } catch (error) {
          expect(error).toMatchObject({ code: 'workspace-vanished' })
          continue
        }
        const unknown = found.entries
          .filter((line) => line.startsWith('unknown '))
          .map((line) => line.slice(8))
        for (const line of whole) {
          const target = line.slice(5)
          const told = found.entries.includes(line) || unknown.some((at) => `${target}/`.startsWith(`${at}/`))
          expect(told, `${line} with ${code} at ${at}`).toBe(true)
        }
        if (unknown.length > 0) expect(found.problems).toEqual(unknown.map((at) => `unreadable ${at}`))
        if (made <= at) return
      }
  })

  it('rejects when the root is another folder at the end than at the start', () => {
    temporary.write('a', '1')
    let looks = 0
    const calls: ScanCalls = {
      ...systemFileCalls,
      readEntriesSync: (folder) => {
        if (looks++ === 0) {
          fs.renameSync(temporary.root, `${temporary.root}-old`)
          fs.mkdirSync(temporary.root)
        }
        return systemFileCalls.readEntriesSync(folder)
      },
    }
    expect(() => walkAll(calls)).toThrow(expect.objectContaining({ code: 'workspace-vanished' }))
  })

  it('tells nothing of a single look that fails', () => {
    const calls = {
      ...systemFileCalls,
      lstatSync: (target: string) => {
        if (target.endsWith('d')) throw systemFailure('EIO')
        return systemFileCalls.lstatSync(target)
      },
    }
    expect(lookAt({ root: temporary.root, path: 'd/a', rules, calls })).toEqual({
      kind: 'unknown',
      path: 'd/a',
      why: 'unreadable',
    })
  })

  it('sends many files in bounded batches and ends with the signal', async () => {
    for (let file = 0; file < 9_000; file++) temporary.write(`d${file % 10}/f${file}`, '')
    const sizes: number[] = []
    for await (const batch of temporary.workspace.scan({ under: '' })) sizes.push(batch.entries.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2_100)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(9_000)
    const abort = new AbortController()
    const scanned = async () => {
      for await (const _batch of temporary.workspace.scan({ under: '', signal: abort.signal }))
        abort.abort(new Error('enough'))
    }
    await expect(scanned()).rejects.toThrow('enough')
    expect((await scanAll(temporary.workspace, 'd1')).entries).toHaveLength(900)
  })

  it('rejects when the root has vanished', async () => {
    fs.renameSync(temporary.root, `${temporary.root}-away`)
    await expect(scanAll(temporary.workspace)).rejects.toMatchObject({ code: 'workspace-vanished' })
    await expect(temporary.workspace.look('a')).rejects.toMatchObject({ code: 'workspace-vanished' })
    expect(await temporary.workspace.rootState()).toEqual({ kind: 'vanished' })
  })
})

describe('hash', () => {
  it('hashes many files at once, and fails one by one', async () => {
    for (let file = 0; file < 500; file++) temporary.write(`f${file}`, String(file))
    const all = await Promise.allSettled(
      Array.from({ length: 510 }, (_, file) => temporary.workspace.hash(`f${file}`)),
    )
    for (const [file, result] of all.entries())
      if (file < 500) {
        const hash = createHash('sha256').update(String(file)).digest('hex')
        expect(result).toMatchObject({ status: 'fulfilled', value: { hash, racy: true } })
      } else expect(result).toMatchObject({ status: 'rejected', reason: { code: 'file-changed' } })
  })

  it('calls a file of long ago not racy', async () => {
    temporary.write('a', '1')
    fs.utimesSync(temporary.at('a'), 1_500_000_000, 1_500_000_000)
    expect(await temporary.workspace.hash('a')).toMatchObject({ racy: false, mtimeUs: 1_500_000_000_000_000 })
  })

  it('reads again what changed meanwhile, and gives up on what keeps changing', () => {
    temporary.write('a', 'one')
    let reads = 0
    const once: FileCalls = {
      ...systemFileCalls,
      readSync: (...args) => {
        if (reads++ === 1) fs.writeFileSync(temporary.at('a'), 'twotwo')
        return systemFileCalls.readSync(...args)
      },
    }
    const { hash, stamp } = hashFile(temporary.root, 'a', { calls: once })
    expect(hash).toBe(createHash('sha256').update('twotwo').digest('hex'))
    expect(stamp.size).toBe(6)
    const always: FileCalls = {
      ...once,
      readSync: (...args) => {
        fs.appendFileSync(temporary.at('a'), '.')
        return systemFileCalls.readSync(...args)
      },
    }
    expect(() => hashFile(temporary.root, 'a', { calls: always })).toThrow(
      expect.objectContaining({ code: 'file-busy', action: 'retry' }),
    )
  })

  it('says when a file cannot be read', () => {
    temporary.write('a', '1')
    const calls: FileCalls = {
      ...systemFileCalls,
      readSync: () => {
        throw systemFailure('EIO')
      },
    }
    expect(() => hashFile(temporary.root, 'a', { calls })).toThrow(
      expect.objectContaining({ code: 'file-unreadable' }),
    )
  })

  it('ends with the signal, waiting or at work', async () => {
    temporary.write('big', 'x'.repeat(8 * 1024 * 1024))
    const abort = new AbortController()
    const hashing = temporary.workspace.hash('big', abort.signal)
    abort.abort(new Error('enough'))
    await expect(hashing).rejects.toThrow('enough')
    expect((await temporary.workspace.hash('big')).stamp.size).toBe(8 * 1024 * 1024)
  })

  it('reads no file through a folder that is a link', async () => {
    fs.symlinkSync(path.dirname(temporary.root), temporary.at('up'))
    await expect(temporary.workspace.hash('up/root/.davit/marker')).rejects.toMatchObject({
      code: 'path-unsafe',
    })
  })
})
