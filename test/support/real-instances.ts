/** Whole instances in this process, each over a workspace of its own on disk, on a store that they share. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openInstance } from '../../src/http/open-instance.ts'
import type { OpenedInstance } from '../../src/instance/compose-instance.ts'
import { loadConfiguration } from '../../src/instance/configuration.ts'
import type { RunSummary } from '../../src/model/run.ts'

export interface RealInstance {
  readonly name: string
  /** The workspace's folder. */
  readonly folder: string
  readonly instance: OpenedInstance
  /** One run that looks at the whole workspace, for a person's command; rejects when it does not end in sync. */
  sync(): Promise<RunSummary>
}

export interface RealInstances {
  /**
   * No run begins by itself. Creates the store where there is none. `watch`: changes come from the watcher, not from
   * a scan of everything at each run.
   */
  open(name: string, url: string, options?: { readonly watch?: boolean }): Promise<RealInstance>
  /** Closes all of them and removes their workspaces. */
  close(): Promise<void>
}

export function realInstances(): RealInstances {
  const root = mkdtempSync(join(tmpdir(), 'davit-instances-'))
  const opened: RealInstance[] = []
  return {
    async open(name, remote, { watch = false } = {}) {
      const folder = join(root, name)
      const configuration = loadConfiguration({
        options: { workspace: folder, remote, instance: name, mode: 'manual' },
        environment: {},
        cwd: root,
      })
      const instance = await openInstance(configuration, { create: true, passive: !watch })
      const real: RealInstance = {
        name,
        folder,
        instance,
        async sync() {
          const summary = await instance.sync({ trigger: 'command' }).finished
          if (summary.outcome !== 'in-sync')
            throw new Error(`${name} ended ${summary.outcome}: ${JSON.stringify(summary.error)}`)
          return summary
        },
      }
      opened.push(real)
      return real
    },
    async close() {
      for (const { instance } of opened) await instance.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
