import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { workspacePath } from '../../../src/cli/workspace-path.ts'

let home: string
let workspace: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-'))
  workspace = join(home, 'a')
  mkdirSync(join(workspace, 'notes'), { recursive: true })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

describe('a path that a person types', () => {
  it('is meant from the current folder inside the workspace', () => {
    expect(workspacePath('x.md', { cwd: join(workspace, 'notes'), workspace })).toBe('notes/x.md')
    expect(workspacePath('../x.md', { cwd: join(workspace, 'notes'), workspace })).toBe('x.md')
    expect(workspacePath('.', { cwd: workspace, workspace })).toBe('')
  })

  it('is meant from the current folder outside, too, where that leads into the workspace', () => {
    expect(workspacePath('a/notes/x.md', { cwd: home, workspace })).toBe('notes/x.md')
  })

  it('is one of the workspace where nothing else fits', () => {
    expect(workspacePath('notes/x.md', { cwd: home, workspace })).toBe('notes/x.md')
    expect(workspacePath(join(workspace, 'x.md'), { cwd: '/', workspace })).toBe('x.md')
  })

  it('is refused when it leads out', () => {
    expect(() => workspacePath('../../x', { cwd: workspace, workspace })).toThrow(/no path of the workspace/)
    expect(() => workspacePath('/etc/passwd', { cwd: workspace, workspace })).toThrow(
      /no path of the workspace/,
    )
  })
})
