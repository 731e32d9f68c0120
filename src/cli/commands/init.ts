/** `davit init`: checks the remote, joins its store or creates one, writes the configuration. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { stringify } from 'yaml'
import { defined } from '../../model/defined.ts'
import { DavitError } from '../../model/errors.ts'
import { type CommandContext, loadConfiguration, log, type Settings } from '../command.ts'
import { describeRun } from '../describe-run.ts'
import { exitCodeOfOutcome } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'

interface Place {
  readonly file: string
  readonly folder: string
  readonly workspace: string
  /** In the state folder, wherever the configuration is: nothing there is replicated. */
  readonly passwordFile: string
}

/** The settings that belong into the file, in its shape. The password goes into a file of its own. */
function documentOf(settings: Settings, place: Place, instance: string): object {
  const { remote: url, username, password, mode, poll, conflicts, host, port } = settings
  const passwordFile = password === undefined ? undefined : relative(place.folder, place.passwordFile)
  const sections = {
    remote: defined({ url, username, passwordFile }),
    sync: defined({ mode, poll, conflicts }),
    http: defined({ host, port: port === undefined ? undefined : Number(port) }),
  }
  return {
    instance,
    workspace: relative(place.folder, place.workspace) || '.',
    ...Object.fromEntries(Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0)),
  }
}

export async function init(context: CommandContext): Promise<number> {
  const { io, settings } = context
  const { config, ...rest } = settings
  const configuration = await loadConfiguration(context, rest)
  const { workspace, state } = configuration
  const file = typeof config === 'string' ? resolve(io.cwd, config) : join(workspace, '.davit', 'davit.yml')
  const place: Place = { file, folder: dirname(file), workspace, passwordFile: join(state, 'password') }
  if (existsSync(file)) {
    throw new DavitError('configuration-invalid', `${file} is there already`, {
      action: 'ask',
      hint: 'This workspace is set up. Change the file, or remove it to begin again.',
    })
  }

  const instance = await context.engine.openInstance(configuration, {
    create: true,
    background: false,
    log: log(context),
  })
  try {
    // A dry run joins the store, or makes it, and moves no file.
    const run = await instance.sync({ dryRun: true, trigger: 'command' }).finished
    if (run.outcome !== 'in-sync' && run.outcome !== 'conflicts') {
      if (context.json) printJson(io, run)
      else describeRun(io, run)
      return exitCodeOfOutcome(run.outcome)
    }
    await mkdir(place.folder, { recursive: true, mode: 0o700 })
    if (typeof settings.password === 'string') {
      await writeFile(place.passwordFile, `${settings.password}\n`, { mode: 0o600 })
      await chmod(place.passwordFile, 0o600)
    }
    const { name } = instance.status().instance
    await writeFile(file, stringify(documentOf(settings, place, name)), { mode: 0o600, flag: 'wx' })
    if (context.json) printJson(io, { configuration: file, workspace, instance: name, version: run.version })
    else {
      print(io, `joined the store at version ${run.version}; the configuration is in ${file}`)
      print(io, "next: 'davit sync' for one run, 'davit serve' to keep the workspace in sync")
    }
    return 0
  } finally {
    await instance.close()
  }
}
