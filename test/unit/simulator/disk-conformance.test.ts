/** The suite that the workspace passes over a real folder, over the simulated disk in each of its kinds. */
import { runWorkspaceSuite, type WorkspaceSetup } from '../../conformance/workspace-suite.ts'
import { createSimulatedDisk, type SimulatedDiskOptions } from '../../simulator/disk.ts'
import { createStandingClock, openDiskWorkspace, rootFolder } from '../../simulator/disk-workspace.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

async function setup(
  options: Partial<SimulatedDiskOptions> & { stateFolder?: string } = {},
): Promise<WorkspaceSetup> {
  const clock = createStandingClock()
  const disk = createSimulatedDisk({ now: clock.now, ...options })
  const stateFolder = options.stateFolder ?? `${rootFolder}/.davit`
  disk.user.makeFolder(rootFolder)
  const process = disk.process()
  const workspace = await openDiskWorkspace({
    calls: process.calls,
    clock,
    random: createSeededRandom(1),
    stateFolder,
  })
  const at = (path: string) => `${rootFolder}/${path}`
  return {
    workspace,
    write: (path, content) => disk.user.write(at(path), content),
    read: (path) => disk.user.readText(at(path)),
    remove: (path) => disk.user.remove(at(path)),
    makeFolder: (path) => disk.user.makeFolder(at(path)),
    trashed: () =>
      disk.user
        .list(`${stateFolder}/trash`)
        .filter(({ kind }) => kind === 'file')
        .map(({ path }) => disk.user.readText(path) ?? ''),
    async dispose() {
      await workspace.close()
      process.kill()
    },
  }
}

runWorkspaceSuite('a simulated disk', () => setup())
runWorkspaceSuite('a simulated disk without a folder of descriptors', () =>
  setup({ descriptorFolder: false }),
)
runWorkspaceSuite('a simulated disk without hard links', () => setup({ hardLinks: false }))
runWorkspaceSuite('a simulated disk that folds case', () => setup({ caseInsensitive: true }))
runWorkspaceSuite('a simulated disk with the state on another', () =>
  setup({ devices: ['/state'], stateFolder: '/state/davit' }),
)
