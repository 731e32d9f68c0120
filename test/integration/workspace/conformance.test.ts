import fs from 'node:fs'
import path from 'node:path'
import { runWorkspaceSuite } from '../../conformance/workspace-suite.ts'
import { filesBelow, openTemporaryWorkspace } from '../../support/temporary-workspace.ts'

const secondDevice = '/dev/shm'

async function setup(options: { under?: string; stateUnder?: string }) {
  const state =
    options.stateUnder === undefined ? null : fs.mkdtempSync(path.join(options.stateUnder, 'davit-state-'))
  const temporary = await openTemporaryWorkspace({
    ...(options.under === undefined ? {} : { under: options.under }),
    ...(state === null ? {} : { stateFolder: state }),
  })
  const { workspace, at, write, read, state: stateFolder } = temporary
  return {
    workspace,
    write,
    read,
    remove: (target: string) => fs.rmSync(at(target), { recursive: true }),
    makeFolder: (target: string) => void fs.mkdirSync(at(target), { recursive: true }),
    trashed: () => filesBelow(path.join(stateFolder, 'trash')).map((file) => fs.readFileSync(file, 'utf8')),
    async dispose() {
      await temporary.dispose()
      if (state !== null) fs.rmSync(state, { recursive: true, force: true })
    },
  }
}

runWorkspaceSuite('a folder with its state inside', () => setup({}))
if (fs.existsSync(secondDevice)) {
  runWorkspaceSuite('a folder on another file system', () => setup({ under: secondDevice }))
  runWorkspaceSuite('a folder with its state on another file system', () =>
    setup({ stateUnder: secondDevice }),
  )
}
