/** What every workspace does, whatever it is made of. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { comparePaths } from '../../src/model/path.ts'
import type { StagedContent, Workspace } from '../../src/workspace/workspace.ts'

/** A workspace under test, and the hands of the user beside it. */
export interface WorkspaceSetup {
  readonly workspace: Workspace
  /** Writes a file as another program would, with the folders above it. */
  write(path: string, content: string): void | Promise<void>
  /** `null`: no file is there. */
  read(path: string): string | null | Promise<string | null>
  remove(path: string): void | Promise<void>
  makeFolder(path: string): void | Promise<void>
  /** Contents that the trash holds. */
  trashed(): string[] | Promise<string[]>
  dispose(): Promise<void>
}

const attributes = { executable: false, mtimeUs: 1_600_000_000_123_456 }

export function runWorkspaceSuite(name: string, setup: () => Promise<WorkspaceSetup>): void {
  describe(`workspace: ${name}`, () => {
    let user: WorkspaceSetup
    let workspace: Workspace

    beforeEach(async () => {
      user = await setup()
      workspace = user.workspace
    })
    afterEach(() => user.dispose())

    async function paths(under = ''): Promise<string[]> {
      const found: string[] = []
      for await (const batch of workspace.scan({ under }))
        found.push(...batch.entries.map((entry) => `${entry.kind} ${entry.path}`))
      return found
    }
    async function stamp(path: string) {
      const entry = await workspace.look(path)
      if (entry === null || entry.kind === 'unknown') throw new Error(`nothing at ${path}`)
      return entry.stamp
    }
    async function stage(text: string): Promise<StagedContent> {
      const staged = await workspace.stage(text.length)
      await staged.sink.write(new TextEncoder().encode(text))
      await staged.finish({ durable: true })
      return staged
    }
    const placing = { attributes, old: 'trash', durable: true } as const

    it('tells files and empty folders in the order of their bytes', async () => {
      for (const path of ['b', 'a/x', 'a-b', 'a.txt', 'ä', 'a/y/z', '𝄞', '\uFFFD', '\uE000'])
        await user.write(path, path)
      await user.makeFolder('a/empty')
      await user.makeFolder('only')
      const found = await paths()
      const bare = found.map((line) => line.slice(line.indexOf(' ') + 1))
      expect(found).toContain('folder a/empty')
      expect(found).toContain('folder only')
      expect(found).toHaveLength(11)
      expect(bare).toEqual([...bare].sort(comparePaths))
    })

    it('scans one folder or one file', async () => {
      await user.write('a/b/c', '1')
      await user.write('a/d', '2')
      await user.write('e', '3')
      expect(await paths('a')).toEqual(['file a/b/c', 'file a/d'])
      expect(await paths('a/d')).toEqual(['file a/d'])
      expect(await paths('gone')).toEqual([])
      expect(await paths('e/below')).toEqual([])
    })

    it('hashes a file and gives its bytes', async () => {
      await user.write('a', 'hello')
      const hashed = await workspace.hash('a')
      expect(hashed.hash).toBe(createHash('sha256').update('hello').digest('hex'))
      expect(hashed.stamp).toEqual(await stamp('a'))
      const chunks: Uint8Array[] = []
      for await (const chunk of workspace.source('a', hashed.stamp).open()) chunks.push(chunk)
      expect(Buffer.concat(chunks).toString()).toBe('hello')
      await expect(workspace.hash('gone')).rejects.toMatchObject({ code: 'file-changed' })
    })

    it('refuses to read what is not the file of the stamp', async () => {
      await user.write('a', 'hello')
      const seen = await stamp('a')
      await user.write('a', 'other')
      const read = async () => {
        for await (const _chunk of workspace.source('a', seen).open());
      }
      await expect(read()).rejects.toMatchObject({ code: 'file-changed' })
    })

    it('places a new file with the folders above it and its attributes', async () => {
      const result = await workspace.place(await stage('new'), 'a/b/c', { ...placing, expected: null })
      expect(result).toMatchObject({ kind: 'done', racy: false, mtimeUs: attributes.mtimeUs })
      expect(await user.read('a/b/c')).toBe('new')
      expect(await workspace.look('a/b/c')).toMatchObject({
        kind: 'file',
        executable: false,
        mtimeUs: attributes.mtimeUs,
        stamp: result.kind === 'done' ? result.stamp : null,
      })
    })

    it('places nothing where something stands already', async () => {
      await user.write('a', 'theirs')
      const staged = await stage('ours')
      expect(await workspace.place(staged, 'a', { ...placing, expected: null })).toEqual({ kind: 'changed' })
      expect(await user.read('a')).toBe('theirs')
      expect((await workspace.place(staged, 'b', { ...placing, expected: null })).kind).toBe('done')
      expect(await user.read('b')).toBe('ours')
    })

    it('replaces the expected file and keeps the old content in the trash', async () => {
      await user.write('a', 'old')
      const result = await workspace.place(await stage('new'), 'a', {
        ...placing,
        expected: await stamp('a'),
      })
      expect(result.kind).toBe('done')
      expect(await user.read('a')).toBe('new')
      expect(await user.trashed()).toEqual(['old'])
    })

    it('drops the old content when the store has it', async () => {
      await user.write('a', 'old')
      const options = { ...placing, expected: await stamp('a'), old: 'drop' } as const
      expect((await workspace.place(await stage('new'), 'a', options)).kind).toBe('done')
      expect(await user.trashed()).toEqual([])
    })

    it('leaves a file alone that is not the expected one', async () => {
      await user.write('a', 'old')
      const seen = await stamp('a')
      await user.write('a', 'edited')
      expect(await workspace.place(await stage('new'), 'a', { ...placing, expected: seen })).toEqual({
        kind: 'changed',
      })
      expect(await workspace.remove('a', { expected: seen, old: 'drop' })).toEqual({ kind: 'changed' })
      expect(await workspace.move('a', 'b', seen)).toEqual({ kind: 'changed' })
      expect(await workspace.setAttributes('a', seen, attributes)).toEqual({ kind: 'changed' })
      expect(await workspace.park('00000000-0000-7000-8000-000000000000', 'a', seen)).toEqual({
        kind: 'changed',
      })
      expect(await user.read('a')).toBe('edited')
    })

    it('says which file stands where a folder is needed', async () => {
      await user.write('a/b', 'file')
      const blocked = { kind: 'blocked', path: 'a/b' }
      expect(await workspace.place(await stage('new'), 'a/b/c', { ...placing, expected: null })).toEqual(
        blocked,
      )
      expect(await workspace.makeFolder('a/b/c/d')).toEqual(blocked)
      expect(await workspace.makeFolder('a/b')).toEqual(blocked)
    })

    it('says when a name cannot be held, and leaves no folders behind', async () => {
      const long = `x/y/${'n'.repeat(256)}`
      const result = await workspace.place(await stage('new'), long, { ...placing, expected: null })
      expect(result.kind).toBe('unrepresentable')
      expect((await workspace.makeFolder(`x/${'n'.repeat(256)}/b`)).kind).toBe('unrepresentable')
      expect(await paths()).toEqual([])
    })

    it('refuses a path that leaves the workspace or enters the state folder', async () => {
      const seen = { size: 0, mtimeMs: 0, ctimeMs: 0, inode: 0, birthtimeMs: 0 }
      const staged = await stage('x')
      for (const path of ['../a', '/etc/x', 'a/../../b', '.davit/x', '.DAVIT/x', 'a//b', '']) {
        const unsafe = { code: 'path-unsafe' }
        await expect(workspace.place(staged, path, { ...placing, expected: null })).rejects.toMatchObject(
          unsafe,
        )
        await expect(workspace.remove(path, { expected: seen, old: 'drop' })).rejects.toMatchObject(unsafe)
        await expect(workspace.makeFolder(path)).rejects.toMatchObject(unsafe)
        await expect(workspace.look(path)).rejects.toMatchObject(unsafe)
        await expect(workspace.hash(path)).rejects.toMatchObject(unsafe)
      }
    })

    it('moves a file onto nothing only', async () => {
      await user.write('a', 'one')
      await user.write('b', 'two')
      expect(await workspace.move('a', 'b', await stamp('a'))).toEqual({ kind: 'changed' })
      const result = await workspace.move('a', 'c/d', await stamp('a'))
      expect(result).toMatchObject({ kind: 'done', stamp: await stamp('c/d') })
      expect([await user.read('a'), await user.read('b'), await user.read('c/d')]).toEqual([
        null,
        'two',
        'one',
      ])
    })

    it('moves an empty folder', async () => {
      await user.makeFolder('a')
      expect((await workspace.move('a', 'b/c', await stamp('a'))).kind).toBe('done')
      expect(await paths()).toEqual(['folder b/c'])
    })

    it('swaps two files by parking one of them', async () => {
      const id = '00000000-0000-7000-8000-000000000001'
      await user.write('a', 'one')
      await user.write('b', 'two')
      expect(await workspace.park(id, 'a', await stamp('a'))).toEqual({ kind: 'done' })
      expect(await workspace.parked()).toEqual([id])
      expect((await workspace.move('b', 'a', await stamp('b'))).kind).toBe('done')
      expect(await workspace.unpark(id, 'a')).toEqual({ kind: 'changed' })
      expect((await workspace.unpark(id, 'b')).kind).toBe('done')
      expect([await user.read('a'), await user.read('b')]).toEqual(['two', 'one'])
      expect(await workspace.parked()).toEqual([])
    })

    it('removes the expected file, into the trash or for good', async () => {
      await user.write('a', 'one')
      await user.write('b', 'two')
      expect(await workspace.remove('a', { expected: await stamp('a'), old: 'trash' })).toEqual({
        kind: 'done',
      })
      const seen = await stamp('b')
      expect(await workspace.remove('b', { expected: seen, old: 'drop' })).toEqual({ kind: 'done' })
      expect(await workspace.remove('b', { expected: seen, old: 'drop' })).toEqual({ kind: 'gone' })
      expect(await user.trashed()).toEqual(['one'])
      expect(await paths()).toEqual([])
    })

    it('removes a folder only when it is empty', async () => {
      await user.write('a/b/c', '1')
      await workspace.removeFolder('a/b')
      await workspace.removeFolder('gone')
      expect(await user.read('a/b/c')).toBe('1')
      await user.remove('a/b/c')
      await workspace.removeEmptyParents('a/b/c', (folder) => folder === 'a')
      expect(await paths()).toEqual(['folder a'])
      await workspace.removeEmptyParents('a/b/c', () => false)
      expect(await paths()).toEqual([])
    })

    it('makes a folder once and is done the second time as well', async () => {
      expect((await workspace.makeFolder('a/b')).kind).toBe('done')
      expect((await workspace.makeFolder('a/b')).kind).toBe('done')
      expect(await paths()).toEqual(['folder a/b'])
    })

    it('sets the executable bit and the modification time', async () => {
      await user.write('a', '1')
      const wanted = { executable: true, mtimeUs: 1_500_000_000_000_001 }
      const result = await workspace.setAttributes('a', await stamp('a'), wanted)
      expect(result).toMatchObject({ kind: 'done', mtimeUs: wanted.mtimeUs, stamp: await stamp('a') })
      expect(await workspace.look('a')).toMatchObject(wanted)
    })

    it('starts a staged content again', async () => {
      const staged = await workspace.stage(3)
      await staged.sink.write(new TextEncoder().encode('longer than it'))
      await staged.sink.restart()
      await staged.sink.write(new TextEncoder().encode('abc'))
      await staged.finish({ durable: false })
      await workspace.place(staged, 'a', { ...placing, expected: null })
      await staged.discard()
      expect(await user.read('a')).toBe('abc')
    })

    it('knows its root by the marker', async () => {
      expect(await workspace.rootState()).toEqual({ kind: 'present' })
      await workspace.renewMarker('one')
      await workspace.renewMarker('two')
      expect(await workspace.rootState()).toEqual({ kind: 'present' })
    })
  })
}
