/** The configuration file that `init` writes, and `--create` where there was none: later commands find it by itself. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { stringify } from 'yaml'
import { defined } from '../model/defined.ts'
import { DavitError } from '../model/errors.ts'
import { stateFolderName } from '../model/path.ts'
import type { CommandContext } from './command.ts'
import type { CliConfiguration } from './engine.ts'

/** Where the password comes from, as the file says it; written to a file of its own unless the environment has it. */
async function passwordFileOf(
  { io, settings }: CommandContext,
  { remote, state }: CliConfiguration,
  folder: string,
): Promise<string | undefined> {
  const { DAVIT_PASSWORD, DAVIT_PASSWORD_FILE, WEBDAV_PASSWORD } = io.environment
  if (remote.password === undefined) return undefined
  if (settings.password === undefined) {
    if (DAVIT_PASSWORD_FILE !== undefined && remote.password !== DAVIT_PASSWORD)
      return relative(folder, resolve(io.cwd, DAVIT_PASSWORD_FILE))
    // Whoever keeps it in the environment does not want it on the disk.
    if (remote.password === DAVIT_PASSWORD || remote.password === WEBDAV_PASSWORD) return undefined
  }
  // In the state folder, wherever the configuration is: nothing there is replicated.
  const file = join(state, 'password')
  await writeFile(file, `${remote.password}\n`, { mode: 0o600 })
  await chmod(file, 0o600)
  return relative(folder, file)
}

/** Writes the settings that belong into the file, in its shape. The file must not be there. */
export async function writeConfiguration(
  context: CommandContext,
  configuration: CliConfiguration,
  file: string,
): Promise<void> {
  const { mode, poll, conflicts, host, port } = context.settings
  const { instance, workspace, state } = configuration
  const { url, username } = configuration.remote
  const folder = dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const passwordFile = await passwordFileOf(context, configuration, folder)
  const sections = {
    remote: defined({ url, username, passwordFile }),
    sync: defined({ mode, poll, conflicts }),
    http: defined({ host, port: port === undefined ? undefined : Number(port) }),
  }
  const document = {
    instance,
    workspace: relative(folder, workspace) || '.',
    ...(state === join(workspace, stateFolderName) ? {} : { state: relative(folder, state) || '.' }),
    ...Object.fromEntries(Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0)),
  }
  await writeWhole(file, stringify(document))
}

/**
 * The file appears whole or not at all: half a configuration would be refused by every later command, `init` included.
 * Rejects when it is there.
 */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.new`
  await writeFile(draft, text, { mode: 0o600, flush: true })
  if (existsSync(file)) {
    await rm(draft)
    throw new DavitError('configuration-invalid', `${file} was made by somebody else in this moment`, {
      action: 'ask',
      hint: 'Look at it. Change it, or remove it to begin again.',
    })
  }
  await rename(draft, file)
}

/** After `--create`: what came from options alone is kept, so that it need not be said again. */
export async function keepConfiguration(
  context: CommandContext,
  configuration: CliConfiguration,
): Promise<void> {
  const file = join(configuration.state, 'davit.yml')
  if (configuration.file !== null || existsSync(file)) return
  await writeConfiguration(context, configuration, file)
}
