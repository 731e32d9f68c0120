/**
 * What people, editors and programs do to files. Each gesture makes its own folder ready, then acts with real file
 * operations or the real program; what is expected afterwards is what the disk says. They know nothing of Davit.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** A folder in the workspace that belongs to one gesture, and another one outside of it on the same disk. */
export interface Stage {
  readonly folder: string
  readonly outside: string
  at(target: string): string
  write(target: string, content: string | Uint8Array): void
  append(target: string, content: string): void
  move(from: string, to: string): void
  remove(target: string): void
  /** Runs a program in the folder and waits for it, the event loop turning meanwhile. Rejects when it fails. */
  run(command: string, ...argv: readonly string[]): Promise<void>
  /** Lets what watches see what was done so far, or not: one turn of the event loop. */
  breathe(): Promise<void>
}

export interface Gesture {
  readonly name: string
  prepare?(stage: Stage): void | Promise<void>
  act(stage: Stage): void | Promise<void>
  /** More than a watcher tells path by path: it may ask for a look at everything. */
  readonly isMassive?: boolean
  /** Folders in which nothing is written afterwards to see whether they are watched. */
  readonly leaves?: readonly string[]
}

export function createStage(folder: string, outside: string): Stage {
  const at = (target: string) => path.join(folder, target)
  return {
    folder,
    outside,
    at,
    write(target, content) {
      fs.mkdirSync(path.dirname(at(target)), { recursive: true })
      fs.writeFileSync(at(target), content)
    },
    append: (target, content) => fs.appendFileSync(at(target), content),
    move(from, to) {
      fs.mkdirSync(path.dirname(at(to)), { recursive: true })
      fs.renameSync(at(from), at(to))
    },
    remove: (target) => fs.rmSync(at(target), { recursive: true }),
    run: (command, ...argv) => runIn(folder, command, argv),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

/** Everything, and in numbers that take minutes: `DAVIT_GESTURES=long`. */
export const isLongForm = process.env['DAVIT_GESTURES'] === 'long'
const burstFiles = isLongForm ? 30_000 : 500
const treesAtOnce = 300

const environment = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'ann',
  GIT_AUTHOR_EMAIL: 'ann@example.org',
  GIT_COMMITTER_NAME: 'ann',
  GIT_COMMITTER_EMAIL: 'ann@example.org',
  GIT_EDITOR: 'true',
}

function runIn(cwd: string, command: string, argv: readonly string[], files: readonly number[] = []) {
  return new Promise<void>((resolve, reject) => {
    const child = spawn(command, argv, {
      cwd,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', ...files],
    })
    let complaint = ''
    child.stderr?.on('data', (data) => {
      complaint += String(data)
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${command} ${argv.join(' ')} ended with ${code}: ${complaint}`)),
    )
  })
}

/** Whether the program is there; what needs a missing one is done by hand instead. */
export function hasProgram(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

const text = (lines: number, word = 'line') =>
  Array.from({ length: lines }, (_, line) => `${word} ${line}\n`).join('')

const oldTime = new Date('2001-02-03T04:05:06.789Z')
const futureTime = new Date('2101-02-03T04:05:06.789Z')

/** A tree of files in several depths. */
function writeTree({ write }: Stage, top: string, mark = ''): void {
  for (const target of ['one', 'two.md', 'sub/three', 'sub/deep/four', 'sub/deep/five', 'other/six'])
    write(`${top}/${target}`, `${target} ${mark}\n`)
}

const editors: readonly Gesture[] = [
  {
    name: 'saved in place, as nano does',
    prepare: ({ write }) => write('d/note.md', text(20)),
    act: ({ write }) => write('d/note.md', text(21)),
  },
  {
    name: 'truncated and written in several pieces',
    prepare: ({ write }) => write('note.md', text(500)),
    act: async ({ at, breathe }) => {
      const fd = fs.openSync(at('note.md'), 'w')
      for (let piece = 0; piece < 20; piece++) {
        fs.writeSync(fd, text(30, `piece ${piece}`))
        await breathe()
      }
      fs.closeSync(fd)
    },
  },
  {
    name: 'saved as vim does, with 4913, a backup and a swap file',
    prepare: ({ write }) => write('d/note.md', text(20)),
    act: async ({ write, remove, move, breathe }) => {
      write('d/.note.md.swp', 'swap')
      write('d/4913', '')
      remove('d/4913')
      move('d/note.md', 'd/note.md~')
      await breathe()
      write('d/note.md', text(22))
      remove('d/note.md~')
      remove('d/.note.md.swp')
    },
  },
  {
    name: 'saved by vim itself',
    prepare: ({ write }) => write('d/note.md', text(20)),
    act: ({ run, append }) =>
      hasProgram('vim')
        ? run(
            'vim',
            '-u',
            'NONE',
            '-es',
            '-c',
            'set backup backupcopy=no',
            '-c',
            'normal ggOhello',
            '-c',
            'wq',
            'd/note.md',
          )
        : append('d/note.md', 'hello\n'),
  },
  {
    name: 'saved by GNOME or gedit through .goutputstream',
    prepare: ({ write }) => write('d/note.txt', text(20)),
    act: async ({ at, write, move, breathe }) => {
      write('d/.goutputstream-QX3RZ2', text(10, 'new'))
      await breathe()
      fs.linkSync(at('d/note.txt'), at('d/note.txt~'))
      move('d/.goutputstream-QX3RZ2', 'd/note.txt')
    },
  },
  {
    name: 'saved by LibreOffice with its lock file',
    prepare: ({ write }) => write('d/letter.odt', text(50)),
    act: async ({ write, move, remove, breathe }) => {
      write('d/.~lock.letter.odt#', ',ann,machine,01.01.2025 10:00,file:///home/ann;')
      await breathe()
      write('d/lu12345abcd.tmp', text(60, 'new'))
      move('d/lu12345abcd.tmp', 'd/letter.odt')
      remove('d/.~lock.letter.odt#')
    },
  },
  {
    name: 'saved by Emacs with auto-save file, lock link and backup',
    prepare: ({ write }) => write('d/note.el', text(20)),
    act: async ({ at, write, move, remove, breathe }) => {
      fs.symlinkSync('ann@machine.4711:1735689600', at('d/.#note.el'))
      write('d/#note.el#', text(21))
      await breathe()
      move('d/note.el', 'd/note.el~')
      write('d/note.el', text(22))
      remove('d/#note.el#')
      fs.unlinkSync(at('d/.#note.el'))
    },
  },
  {
    name: 'saved by Microsoft Office: the original aside, the new one in, the old one away',
    prepare: ({ write }) => write('d/report.docx', text(80)),
    act: async ({ write, move, remove, breathe }) => {
      write('d/~$report.docx', 'ann')
      write('d/5A1B2C3D.tmp', text(81, 'new'))
      move('d/report.docx', 'd/6D5E4F30.tmp')
      await breathe()
      move('d/5A1B2C3D.tmp', 'd/report.docx')
      remove('d/6D5E4F30.tmp')
      remove('d/~$report.docx')
    },
  },
  {
    name: 'made without a name and then linked in (O_TMPFILE)',
    prepare: ({ write }) => write('d/old', 'old'),
    act: async ({ at, folder, move }) => {
      const temporary = 0o20_200_000
      const fd = fs.openSync(at('d'), temporary | fs.constants.O_RDWR, 0o644)
      try {
        fs.writeSync(fd, 'complete from the first moment\n')
        await runIn(folder, 'ln', ['-L', '/proc/self/fd/3', 'd/fresh'], [fd])
        await runIn(folder, 'ln', ['-L', '/proc/self/fd/3', 'd/.old.new'], [fd])
      } finally {
        fs.closeSync(fd)
      }
      move('d/.old.new', 'd/old')
    },
  },
  {
    name: 'edited by sed -i and perl -i',
    prepare: ({ write }) => write('d/note.md', text(20)),
    act: async ({ run }) => {
      await run('sed', '-i', 's/line/word/', 'd/note.md')
      if (hasProgram('perl')) await run('perl', '-pi.bak', '-e', 's/word 1/word one/', 'd/note.md')
    },
  },
  {
    name: 'downloaded under a temporary name and renamed, as rsync and browsers do',
    prepare: ({ write }) => write('d/file', 'old'),
    act: async ({ append, move, at, breathe, write }) => {
      write('d/.file.Xa41zQ', '')
      for (let piece = 0; piece < 5; piece++) {
        append('d/.file.Xa41zQ', text(100))
        await breathe()
      }
      fs.utimesSync(at('d/.file.Xa41zQ'), oldTime, oldTime)
      move('d/.file.Xa41zQ', 'd/file')
      write('d/big.iso.part', 'part')
      move('d/big.iso.part', 'd/big.iso')
    },
  },
]

const attributes: readonly Gesture[] = [
  {
    name: 'touched only',
    prepare: ({ write, at }) => {
      write('d/a', '1')
      fs.utimesSync(at('d/a'), oldTime, oldTime)
    },
    act: ({ run }) => run('touch', 'd/a'),
  },
  {
    name: 'made executable, and another one made not',
    prepare: ({ write, at }) => {
      write('d/a', '1')
      write('d/b', '2')
      fs.chmodSync(at('d/b'), 0o755)
    },
    act: ({ at }) => {
      fs.chmodSync(at('d/a'), 0o755)
      fs.chmodSync(at('d/b'), 0o644)
    },
  },
  {
    name: 'written with the same size and its modification time restored',
    prepare: ({ write, at }) => {
      write('d/a', 'before')
      fs.utimesSync(at('d/a'), oldTime, oldTime)
    },
    act: async ({ write, run, remove }) => {
      await run('cp', '-p', 'd/a', 'reference')
      write('d/a', 'behind')
      await run('touch', '-r', 'reference', 'd/a')
      remove('reference')
    },
  },
  {
    name: 'given a modification time in the past, and in the future',
    prepare: ({ write }) => {
      write('d/past', '1')
      write('d/future', '2')
    },
    act: ({ at, write }) => {
      fs.utimesSync(at('d/past'), oldTime, oldTime)
      write('d/future', '3')
      fs.utimesSync(at('d/future'), futureTime, futureTime)
    },
  },
  {
    name: 'grown and cut by truncate',
    prepare: ({ write }) => {
      write('d/grows', '1')
      write('d/shrinks', text(100))
    },
    act: async ({ run }) => {
      await run('truncate', '-s', '100000', 'd/grows')
      await run('truncate', '-s', '10', 'd/shrinks')
    },
  },
]

const renames: readonly Gesture[] = [
  {
    name: 'a file renamed',
    prepare: ({ write }) => write('d/a', '1'),
    act: ({ move }) => move('d/a', 'd/b'),
  },
  {
    name: 'a file renamed over another one',
    prepare: ({ write }) => {
      write('d/a', '1')
      write('e/b', '2')
    },
    act: ({ move }) => move('d/a', 'e/b'),
  },
  {
    name: 'two files swapped by three renames',
    prepare: ({ write }) => {
      write('d/a', 'a')
      write('d/b', 'b')
    },
    act: ({ move }) => {
      move('d/a', 'd/t')
      move('d/b', 'd/a')
      move('d/t', 'd/b')
    },
  },
  {
    name: 'two folders swapped by three renames',
    prepare: (stage) => {
      writeTree(stage, 'a', 'a')
      writeTree(stage, 'b', 'b')
      stage.write('b/only/here', '1')
    },
    act: async ({ move, breathe }) => {
      move('a', 't')
      move('b', 'a')
      await breathe()
      move('t', 'b')
    },
  },
  {
    name: 'a folder with files renamed',
    prepare: (stage) => writeTree(stage, 'before'),
    act: ({ move }) => move('before', 'after'),
  },
  {
    name: 'a folder renamed twice and written into at once',
    prepare: (stage) => writeTree(stage, 'before'),
    act: ({ move, append, write }) => {
      move('before', 'between')
      append('between/sub/three', 'more')
      move('between', 'after')
      append('after/sub/deep/four', 'more')
      write('after/sub/deep/new/seven', '7')
    },
  },
  {
    name: 'a folder moved into another one',
    prepare: (stage) => {
      writeTree(stage, 'd')
      stage.write('target/x', 'x')
    },
    act: ({ move }) => move('d', 'target/d'),
  },
  {
    name: 'a folder renamed and another one made under its old name',
    prepare: (stage) => writeTree(stage, 'd', 'old'),
    act: async (stage) => {
      stage.move('d', 'd.old')
      writeTree(stage, 'd', 'new')
      await stage.breathe()
      stage.append('d.old/sub/three', 'more')
    },
  },
  {
    name: 'a file renamed while it is being written',
    prepare: ({ write }) => write('d/log', 'begin\n'),
    act: async ({ at, move, breathe }) => {
      const fd = fs.openSync(at('d/log'), 'a')
      for (let line = 0; line < 30; line++) {
        fs.writeSync(fd, `line ${line}\n`)
        if (line === 10) move('d/log', 'd/log.1')
        if (line === 20) move('d/log.1', 'e/log.2')
        await breathe()
      }
      fs.closeSync(fd)
    },
  },
  {
    name: 'a log rotated while its writer goes on',
    prepare: ({ write }) => {
      write('log', text(10))
      write('log.1', text(5))
    },
    act: async ({ at, move, append, breathe }) => {
      const fd = fs.openSync(at('log'), 'a')
      move('log.1', 'log.2')
      move('log', 'log.1')
      append('log', 'fresh\n')
      await breathe()
      fs.writeSync(fd, 'late\n')
      fs.closeSync(fd)
    },
  },
  {
    name: 'names changed in their case only',
    prepare: ({ write }) => {
      write('d/Note', '1')
      write('Folder/a', '2')
    },
    act: ({ at }) => {
      fs.renameSync(at('d/Note'), at('d/note'))
      fs.renameSync(at('Folder'), at('folder'))
    },
  },
  {
    name: 'a file moved out of the workspace and another one in',
    prepare: ({ write, outside }) => {
      write('d/a', '1')
      fs.writeFileSync(path.join(outside, 'b'), '2')
    },
    act: ({ at, outside }) => {
      fs.renameSync(at('d/a'), path.join(outside, 'a'))
      fs.renameSync(path.join(outside, 'b'), at('d/b'))
    },
  },
  {
    name: 'a folder moved out of the workspace, changed there and moved back',
    prepare: (stage) => writeTree(stage, 'd'),
    act: async ({ at, outside, append, breathe }) => {
      const away = path.join(outside, 'd')
      fs.renameSync(at('d'), away)
      await breathe()
      fs.appendFileSync(path.join(away, 'sub/three'), 'more')
      fs.renameSync(path.join(away, 'sub/deep'), path.join(away, 'deep'))
      fs.renameSync(away, at('d'))
      append('d/deep/four', 'more')
    },
  },
]

const trees: readonly Gesture[] = [
  {
    name: 'a deep folder made with a file in it in one go',
    act: ({ write }) => write('a/b/c/f', '1'),
  },
  {
    name: 'three hundred deep trees made at once',
    act: ({ write }) => {
      for (let tree = 0; tree < treesAtOnce; tree++) write(`t${tree}/b/c/f`, String(tree))
    },
  },
  {
    name: 'a tree removed',
    prepare: (stage) => writeTree(stage, 'd'),
    act: ({ run }) => run('rm', '-r', 'd'),
  },
  {
    name: 'a tree removed and made again at once with the same names',
    prepare: (stage) => writeTree(stage, 'd', 'old'),
    act: (stage) => {
      stage.remove('d')
      writeTree(stage, 'd', 'new')
    },
  },
  {
    name: 'a tree removed and made again ten times',
    prepare: (stage) => writeTree(stage, 'd'),
    act: async (stage) => {
      for (let round = 0; round < 10; round++) {
        stage.remove('d')
        writeTree(stage, 'd', String(round))
        if (round % 3 === 0) await stage.breathe()
      }
    },
  },
  {
    name: 'a tree copied by cp -a',
    prepare: (stage) => {
      writeTree(stage, 'd')
      fs.utimesSync(stage.at('d/sub/three'), oldTime, oldTime)
    },
    act: ({ run }) => run('cp', '-a', 'd', 'copy'),
  },
  {
    name: 'a tar archive unpacked',
    prepare: async (stage) => {
      writeTree(stage, 'd')
      for (const file of ['one', 'sub/three']) fs.utimesSync(stage.at(`d/${file}`), oldTime, oldTime)
      fs.chmodSync(stage.at('d/two.md'), 0o755)
      await stage.run('tar', '-cf', path.join(stage.outside, 'd.tar'), 'd')
      stage.remove('d')
    },
    act: ({ run, outside }) => run('tar', '-xf', path.join(outside, 'd.tar')),
  },
  {
    name: 'a zip archive unpacked over an older tree',
    prepare: async (stage) => {
      writeTree(stage, 'd', 'in the archive')
      if (hasProgram('zip')) await stage.run('zip', '-qr', path.join(stage.outside, 'd.zip'), 'd')
      writeTree(stage, 'd', 'older')
    },
    act: async (stage) => {
      if (hasProgram('zip') && hasProgram('unzip'))
        await stage.run('unzip', '-qo', path.join(stage.outside, 'd.zip'))
      else writeTree(stage, 'd', 'in the archive')
    },
  },
  {
    name: 'a git repository made, committed, switched, rebased and stashed',
    act: async ({ run, write, append }) => {
      const git = (...argv: string[]) =>
        run(
          'git',
          '-c',
          'gc.auto=0',
          '-c',
          'maintenance.auto=false',
          '-c',
          'init.defaultBranch=main',
          ...argv,
        )
      await git('init', '-q')
      for (let file = 0; file < 10; file++) write(`src/${file % 3}/f${file}`, text(10, `file ${file}`))
      await git('add', '.')
      await git('commit', '-qm', 'first')
      await git('checkout', '-qb', 'topic')
      append('src/0/f0', 'topic\n')
      write('src/topic/new', 'new')
      await git('add', '.')
      await git('commit', '-qm', 'topic')
      await git('checkout', '-q', 'main')
      append('src/1/f1', 'main\n')
      await git('commit', '-qam', 'main')
      await git('rebase', '-q', 'main', 'topic')
      append('src/2/f2', 'unfinished\n')
      await git('stash', '-q')
      await git('checkout', '-q', 'main')
      await git('stash', 'pop', '-q')
    },
  },
  {
    name: 'empty folders made, filled and emptied',
    prepare: ({ at, write }) => {
      fs.mkdirSync(at('empty/inner'), { recursive: true })
      fs.mkdirSync(at('filled-later'))
      write('emptied/sub/only', '1')
    },
    act: ({ at, write, remove }) => {
      fs.mkdirSync(at('fresh/inner'), { recursive: true })
      fs.rmdirSync(at('empty/inner'))
      write('filled-later/x/y', '1')
      remove('emptied/sub/only')
    },
  },
  {
    name: 'a file replaced by a folder and back',
    prepare: ({ write }) => {
      write('a', 'file')
      write('b/inner', 'folder')
    },
    act: async ({ write, remove, breathe }) => {
      remove('a')
      write('a/x/y', '1')
      await breathe()
      remove('a')
      write('a', 'file again')
      remove('b')
      write('b', 'now a file')
      await breathe()
      remove('b')
      write('b/inner', 'now a folder')
    },
  },
  {
    name: 'a file replaced by a folder, and a folder by a file',
    prepare: ({ write }) => {
      write('a', 'file')
      write('b/x/y', 'folder')
    },
    act: ({ write, remove }) => {
      remove('a')
      write('a/x/y', '1')
      remove('b')
      write('b', 'file')
    },
  },
]

const links: readonly Gesture[] = [
  {
    name: 'links made: to a file, to the outside, to nothing and to themselves',
    prepare: ({ write, outside }) => {
      write('d/a', '1')
      fs.writeFileSync(path.join(outside, 'secret'), 'secret')
    },
    act: ({ at, outside }) => {
      fs.symlinkSync('a', at('d/to-file'))
      fs.symlinkSync(outside, at('d/to-outside'))
      fs.symlinkSync('nothing', at('d/to-nothing'))
      fs.symlinkSync('.', at('d/loop'))
      fs.symlinkSync('self', at('d/self'))
    },
  },
  {
    name: 'a link to a folder removed and a folder made in its place',
    prepare: (stage) => {
      writeTree(stage, 'real')
      fs.symlinkSync('real', stage.at('here'))
    },
    act: (stage) => {
      fs.unlinkSync(stage.at('here'))
      writeTree(stage, 'here')
    },
  },
  {
    name: 'a link switched to another folder by renaming, as deployments do',
    prepare: (stage) => {
      writeTree(stage, 'v1')
      writeTree(stage, 'v2', '2')
      fs.symlinkSync('v1', stage.at('current'))
    },
    act: ({ at, append }) => {
      fs.symlinkSync('v2', at('current.new'))
      fs.renameSync(at('current.new'), at('current'))
      append('current/one', 'through the link')
    },
  },
  {
    name: 'a hard link made',
    prepare: ({ write }) => write('d/a', '1'),
    act: ({ at }) => {
      fs.mkdirSync(at('e'))
      fs.linkSync(at('d/a'), at('e/b'))
    },
  },
  {
    name: 'a file written through another of its hard links',
    prepare: ({ write, at }) => {
      write('d/a', 'before')
      fs.mkdirSync(at('e'))
      fs.linkSync(at('d/a'), at('e/b'))
    },
    act: ({ append }) => append('e/b', 'through the other name'),
  },
  {
    name: 'sockets and pipes come and go',
    prepare: ({ write }) => write('d/a', '1'),
    act: async ({ run, remove }) => {
      await run('mkfifo', 'd/pipe', 'gone')
      remove('gone')
    },
  },
]

const writers: readonly Gesture[] = [
  {
    name: 'appended to again and again',
    prepare: ({ write }) => write('d/log', ''),
    act: async ({ append, breathe }) => {
      for (let line = 0; line < 200; line++) {
        append('d/log', `line ${line}\n`)
        await breathe()
      }
    },
  },
  {
    name: 'edited many times within one second, its size unchanged',
    prepare: ({ write }) => write('d/counter', '000'),
    act: async ({ write, breathe }) => {
      for (let count = 1; count < 200; count++) {
        write('d/counter', String(count).padStart(3, '0'))
        await breathe()
      }
    },
  },
  {
    name: 'overwritten in its middle by a program that keeps it open',
    prepare: ({ write }) => write('d/data', text(2_000)),
    act: async ({ at, breathe }) => {
      const fd = fs.openSync(at('d/data'), 'r+')
      for (let block = 0; block < 30; block++) {
        fs.writeSync(fd, `block ${block}`, block * 100)
        await breathe()
      }
      fs.closeSync(fd)
    },
  },
  {
    name: 'made and deleted at once, over and over',
    prepare: ({ write }) => write('d/stays', '1'),
    act: async ({ write, remove, breathe }) => {
      for (let round = 0; round < 100; round++) {
        write('d/gone', String(round))
        if (round % 7 === 0) await breathe()
        remove('d/gone')
      }
    },
  },
  {
    name: 'files deleted while the folder is being looked at',
    prepare: ({ write }) => {
      for (let file = 0; file < 200; file++) write(`d/${file % 20}/f${file}`, String(file))
    },
    act: async ({ remove, append, breathe }) => {
      for (let file = 0; file < 200; file++) {
        if (file % 3 === 0) remove(`d/${file % 20}/f${file}`)
        else if (file % 3 === 1) append(`d/${file % 20}/f${file}`, 'more')
        if (file % 10 === 0) await breathe()
      }
    },
  },
  {
    name: 'a burst of new files',
    act: ({ at }) => {
      for (let file = 0; file < burstFiles; file++) fs.writeFileSync(at(`f${file}`), String(file))
    },
    isMassive: isLongForm,
  },
]

const names: readonly Gesture[] = [
  {
    name: 'names in both Unicode forms, side by side',
    act: ({ write, move }) => {
      write('d/e\u0301t\u00e9', '1')
      write('d/\u00e9t\u00e9', '2')
      write('A\u030angstr\u00f6m/x', '3')
      move('A\u030angstr\u00f6m', '\u00c5ngstr\u00f6m')
    },
  },
  {
    name: 'names with newlines, quotes, dashes, spaces and signs of other systems',
    act: ({ write, run }) => {
      for (const name of [
        'two\nlines',
        'it\'s "quoted"',
        '-rf',
        ' spaced ',
        'a:b|c?',
        'back\\slash',
        '$HOME `x`',
        '\u{1f600}',
      ])
        write(`d/${name}/${name}`, name)
      return run('mv', '--', 'd/-rf', 'd/--')
    },
  },
  {
    name: 'names of 255 bytes, in a path close to the longest',
    act: ({ write, at }) => {
      write(`d/${'n'.repeat(255)}`, '1')
      write(`d/${'\u00e9'.repeat(127)}`, '2')
      const depth = Math.floor((3_900 - at('').length) / 201)
      write(`${`${'p'.repeat(200)}/`.repeat(depth)}f`, '3')
    },
  },
  {
    name: 'a name that is no UTF-8, given one that is',
    prepare: ({ write, at }) => {
      write('d/a', '1')
      fs.writeFileSync(Buffer.concat([Buffer.from(at('d/')), Buffer.from([0x66, 0xff])]), 'odd')
      fs.mkdirSync(Buffer.concat([Buffer.from(at('')), Buffer.from([0x67, 0xfe])]))
    },
    act: ({ at, write }) => {
      fs.renameSync(Buffer.concat([Buffer.from(at('d/')), Buffer.from([0x66, 0xff])]), at('d/f'))
      fs.renameSync(Buffer.concat([Buffer.from(at('')), Buffer.from([0x67, 0xfe])]), at('g'))
      write('g/x', '2')
    },
  },
  {
    name: 'a tree deeper than the longest path of the system',
    prepare: ({ write }) => write('d/a', '1'),
    act: ({ run, write }) =>
      run(
        'sh',
        '-c',
        `i=0; while [ $i -lt 25 ]; do mkdir ${'q'.repeat(200)} && cd -P ${'q'.repeat(200)} || exit 1; echo 1 > f; i=$((i+1)); done`,
      ).then(() => write('d/b', '2')),
    leaves: ['q'],
  },
]

export const gestures: readonly Gesture[] = [
  ...editors,
  ...attributes,
  ...renames,
  ...trees,
  ...links,
  ...writers,
  ...names,
]
