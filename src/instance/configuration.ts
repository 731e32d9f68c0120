/**
 * The configuration: options beat the environment, which beats the file. Everything is checked here, with the place
 * of what is wrong and what is expected; the rest of the program gets values that hold.
 */
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { DavitError } from '../model/errors.ts'
import { configurationCharactersMax, configurationDepthMax } from '../model/limits.ts'
import { stateFolderName } from '../model/path.ts'
import { parseMaxDelete } from '../reconcile/deletion-guard.ts'
import { nestsDeeper } from './yaml-depth.ts'

/** What an instance runs with. Paths are absolute, times in milliseconds, rates in bytes per second. */
export interface Configuration {
  /** The file that was read; `null` when everything came from options and environment. */
  readonly file: string | null
  readonly instance: string
  readonly workspace: string
  readonly state: string
  readonly remote: {
    readonly url: string
    readonly username?: string
    readonly password?: string
    readonly token?: string
    readonly ca?: string
    readonly clientCertificate?: { readonly cert: string; readonly key: string }
    readonly concurrency: number
    readonly timeoutMs: number
    readonly upload: number
    readonly download: number
  }
  readonly sync: {
    readonly mode: 'auto' | 'manual'
    readonly pollMs: number
    readonly fullMs: number
    readonly batch: number
    readonly retry: { readonly attempts: number; readonly baseMs: number; readonly maxMs: number }
    readonly conflicts: ConflictPolicy
    readonly maxDelete: { readonly fraction: number; readonly atLeast: number }
  }
  readonly watch: { readonly mode: 'native' | 'polling' | 'off'; readonly debounceMs: number }
  readonly ignore: readonly string[]
  readonly http: {
    readonly host: string
    readonly port: number
    readonly allowRemote: boolean
    readonly token?: string
  }
  readonly logLevel: 'error' | 'info' | 'debug'
}

type ConflictPolicy = 'manual' | 'merge' | 'local' | 'remote' | 'both' | 'newest'

/** As given on the command line or by an embedding program: names of the common options, with text values. */
export interface ConfigurationOptions {
  readonly config?: string | undefined
  readonly workspace?: string | undefined
  readonly state?: string | undefined
  readonly remote?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly instance?: string | undefined
  readonly port?: string | number | undefined
  readonly host?: string | undefined
  readonly token?: string | undefined
  readonly mode?: string | undefined
  readonly poll?: string | undefined
  readonly conflicts?: string | undefined
  readonly logLevel?: string | undefined
}

export interface ConfigurationSources {
  readonly options: ConfigurationOptions
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

const durationPattern = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/
const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** `250ms`, `5s`, `2m`, `24h`, `1d`, in milliseconds. */
const duration = z
  .string()
  .regex(durationPattern, 'expected a duration such as 250ms, 5s, 10m or 24h')
  .transform((text) => {
    const [, amount = '', unit = ''] = durationPattern.exec(text) ?? []
    return Math.round(Number(amount) * (durationUnits[unit] ?? 0))
  })
  .refine((ms) => ms <= 2 ** 31 - 1, 'expected at most 24 days')

const policies = ['manual', 'merge', 'local', 'remote', 'both', 'newest'] as const
const bytesPerSecond = z.number().int().min(0)
const text = z.string().min(1)
/** Durations that are waited between two tries must be some time. */
const positiveDuration = duration.refine((ms) => ms > 0, 'expected more than 0')

const fileSchema = z.strictObject({
  instance: z.string().min(1).max(100).optional(),
  workspace: text.optional(),
  state: text.optional(),
  remote: z
    .strictObject({
      url: text.optional(),
      username: z.string().optional(),
      password: z.string().optional(),
      passwordFile: text.optional(),
      token: text.optional(),
      ca: text.optional(),
      clientCertificate: z.strictObject({ cert: text, key: text }).optional(),
      concurrency: z.number().int().min(1).max(64).optional(),
      timeout: positiveDuration.optional(),
      upload: bytesPerSecond.optional(),
      download: bytesPerSecond.optional(),
    })
    .optional(),
  sync: z
    .strictObject({
      mode: z.enum(['auto', 'manual']).optional(),
      poll: positiveDuration.optional(),
      full: duration.optional(),
      batch: z.number().int().min(1).max(5_000).optional(),
      retry: z
        .strictObject({
          attempts: z.number().int().min(1).max(100).optional(),
          base: positiveDuration.optional(),
          max: positiveDuration.optional(),
        })
        .optional(),
      conflicts: z.enum(policies).optional(),
      maxDelete: z
        .union([z.string(), z.number().int().min(0)], {
          error: 'expected a percentage such as 50%, or a number of files',
        })
        .transform((value, check) => {
          try {
            return parseMaxDelete(value)
          } catch (error) {
            check.addIssue({
              code: 'custom',
              message: error instanceof Error ? error.message : String(error),
            })
            return z.NEVER
          }
        })
        .optional(),
    })
    .optional(),
  watch: z
    .strictObject({
      mode: z.enum(['native', 'polling', 'off']).optional(),
      debounce: positiveDuration.optional(),
    })
    .optional(),
  ignore: z.array(text).optional(),
  http: z
    .strictObject({
      host: text.optional(),
      port: z.number().int().min(0).max(65_535).optional(),
      allowRemote: z.boolean().optional(),
    })
    .optional(),
})

const portExpected = 'a port from 0 to 65535'
/** On the command line a port is text; an empty one is no port, and not the port 0. */
const portOption = z
  .union(
    [
      z.number(),
      z
        .string()
        .regex(/^\d{1,5}$/)
        .transform(Number),
    ],
    { error: portExpected },
  )
  .refine((port) => Number.isInteger(port) && port >= 0 && port <= 65_535, portExpected)

type FileConfiguration = z.infer<typeof fileSchema>

/** A configuration as `davit.yml` says it, for programs that have it as an object. */
export type ConfigurationDocument = z.input<typeof fileSchema>

/** Rejects by throwing `configuration-invalid`, naming the place, what was found and what is expected. */
export function loadConfiguration(sources: ConfigurationSources): Configuration {
  const environment = readEnvironment(sources.environment, sources.cwd)
  const asked: ConfigurationOptions = { ...environment, ...defined(sources.options) }
  // An unset variable of a script is an empty option. Taken as a path it would be the folder that one stands in.
  for (const name of ['config', 'workspace', 'state'] as const) {
    if (asked[name] === '') invalid(`--${name}`, 'nothing', 'a path')
  }
  const file = findFile(asked, sources)
  const fromFile = file === null ? {} : readFile(file)
  const base = file === null ? sources.cwd : dirname(file)
  return compose(asked, fromFile, { file, base, cwd: sources.cwd })
}

/**
 * A configuration from an object in the shape of `davit.yml`, without any file or environment. Paths are relative to
 * `base`. Throws `configuration-invalid` as `loadConfiguration` does.
 */
export function configurationOf(document: ConfigurationDocument, base: string): Configuration {
  const checked = check(document, 'the configuration', 'it')
  return compose({}, checked, { file: null, base, cwd: base })
}

function compose(
  asked: ConfigurationOptions,
  fromFile: FileConfiguration,
  places: { readonly file: string | null; readonly base: string; readonly cwd: string },
): Configuration {
  const { base, cwd, file } = places
  // An option is relative to where one stands, a value of the file to the file. Without either, the file's workspace
  // is the folder that holds its state folder.
  const workspace =
    asked.workspace !== undefined
      ? resolve(cwd, asked.workspace)
      : fromFile.workspace !== undefined
        ? resolve(base, fromFile.workspace)
        : file !== null && dirname(file).endsWith(`/${stateFolderName}`)
          ? dirname(dirname(file))
          : invalid('workspace', 'nothing', 'the folder to replicate', 'Give `--workspace DIR`.')
  const state =
    asked.state !== undefined
      ? resolve(cwd, asked.state)
      : fromFile.state !== undefined
        ? resolve(base, fromFile.state)
        : join(workspace, stateFolderName)
  const remote = fromFile.remote ?? {}
  const url = remoteUrl(
    asked.remote ??
      remote.url ??
      invalid('remote.url', 'nothing', 'the URL of a WebDAV folder', 'Give `--remote URL`.'),
  )
  // Credentials in a URL count as what the URL was given by: an option's win over the file, the file's URL comes last.
  const ofOption = asked.remote === undefined ? undefined : url
  const password =
    asked.password ??
    ofOption?.password ??
    remote.password ??
    (remote.passwordFile === undefined
      ? url.password
      : readSecret(resolve(base, remote.passwordFile), 'remote.passwordFile'))
  const username = asked.username ?? ofOption?.username ?? remote.username ?? url.username
  const poll = fromOption('--poll', asked.poll, positiveDuration)
  const mode = fromOption('--mode', asked.mode, z.enum(['auto', 'manual']))
  const conflicts = fromOption('--conflicts', asked.conflicts, z.enum(policies))
  const port = fromOption('--port', asked.port, portOption)
  const logLevel = fromOption('--log-level', asked.logLevel, z.enum(['error', 'info', 'debug']))
  const instance = asked.instance ?? fromFile.instance ?? hostname()
  if (instance.trim() === '' || instance.length > 100 || instance === 'remote') {
    invalid('instance', JSON.stringify(instance), 'a name of 1 to 100 characters, other than "remote"')
  }
  const retry = fromFile.sync?.retry ?? {}
  return {
    file,
    instance,
    workspace,
    state,
    remote: {
      url: url.url,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(remote.token === undefined ? {} : { token: remote.token }),
      ...(remote.ca === undefined ? {} : { ca: readSecret(resolve(base, remote.ca), 'remote.ca') }),
      ...(remote.clientCertificate === undefined
        ? {}
        : {
            clientCertificate: {
              cert: readSecret(resolve(base, remote.clientCertificate.cert), 'remote.clientCertificate.cert'),
              key: readSecret(resolve(base, remote.clientCertificate.key), 'remote.clientCertificate.key'),
            },
          }),
      concurrency: remote.concurrency ?? 8,
      timeoutMs: remote.timeout ?? 30_000,
      upload: remote.upload ?? 0,
      download: remote.download ?? 0,
    },
    sync: {
      mode: mode ?? fromFile.sync?.mode ?? 'auto',
      pollMs: poll ?? fromFile.sync?.poll ?? 5_000,
      fullMs: fromFile.sync?.full ?? 86_400_000,
      batch: fromFile.sync?.batch ?? 1_000,
      retry: { attempts: retry.attempts ?? 5, baseMs: retry.base ?? 500, maxMs: retry.max ?? 60_000 },
      conflicts: conflicts ?? fromFile.sync?.conflicts ?? 'manual',
      maxDelete: fromFile.sync?.maxDelete ?? parseMaxDelete('50%'),
    },
    watch: { mode: fromFile.watch?.mode ?? 'native', debounceMs: fromFile.watch?.debounce ?? 200 },
    ignore: fromFile.ignore ?? [],
    http: {
      host: asked.host ?? fromFile.http?.host ?? '127.0.0.1',
      port: port ?? fromFile.http?.port ?? 7410,
      allowRemote: fromFile.http?.allowRemote ?? false,
      ...(asked.token === undefined ? {} : { token: asked.token }),
    },
    logLevel: logLevel ?? 'info',
  }
}

/** The URL without credentials, and those apart. */
function remoteUrl(value: string): {
  readonly url: string
  readonly username?: string
  readonly password?: string
} {
  let url: URL
  try {
    url = new URL(value)
  } catch {
    return invalid('remote.url', 'something that is not a URL', 'a URL such as https://dav.example.org/team')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    invalid('remote.url', `the scheme ${url.protocol}`, 'http: or https:')
  }
  if (url.search !== '' || url.hash !== '')
    invalid('remote.url', 'a query or a fragment', 'the plain URL of a folder')
  const username = decodeCredential(url.username)
  const password = decodeCredential(url.password)
  url.username = ''
  url.password = ''
  return {
    url: url.href.replace(/\/+$/, ''),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
  }
}

function decodeCredential(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return invalid('remote.url', 'credentials that cannot be decoded', 'a "%" in them to be written as %25')
  }
}

function readEnvironment(
  environment: ConfigurationSources['environment'],
  cwd: string,
): ConfigurationOptions {
  const pick = (name: string) => {
    const value = environment[name]
    return value === undefined || value === '' ? undefined : value
  }
  const base = pick('WEBDAV_BASE_URL')
  const root = pick('WEBDAV_REMOTE_ROOT')
  const joined =
    base === undefined || root === undefined
      ? base
      : `${base.replace(/\/+$/, '')}/${root.replace(/^\/+/, '')}`
  const passwordFile = pick('DAVIT_PASSWORD_FILE')
  return defined({
    config: pick('DAVIT_CONFIG'),
    workspace: pick('DAVIT_WORKSPACE'),
    state: pick('DAVIT_STATE'),
    remote: pick('DAVIT_REMOTE') ?? joined,
    username: pick('DAVIT_USERNAME') ?? pick('WEBDAV_USERNAME'),
    password:
      pick('DAVIT_PASSWORD') ??
      (passwordFile === undefined
        ? undefined
        : readSecret(resolve(cwd, passwordFile), 'DAVIT_PASSWORD_FILE')) ??
      pick('WEBDAV_PASSWORD'),
    instance: pick('DAVIT_INSTANCE'),
    port: pick('DAVIT_PORT'),
    host: pick('DAVIT_HOST'),
    token: pick('DAVIT_TOKEN'),
    mode: pick('DAVIT_MODE'),
    poll: pick('DAVIT_POLL'),
    conflicts: pick('DAVIT_CONFLICTS'),
    logLevel: pick('DAVIT_LOG_LEVEL'),
  })
}

/** `--config`, `DAVIT_CONFIG`, `.davit/davit.yml` of the workspace one is in, else `./davit.yml`. */
function findFile(asked: ConfigurationOptions, { cwd }: ConfigurationSources): string | null {
  if (asked.config !== undefined) {
    const file = resolve(cwd, asked.config)
    if (!existsSync(file)) invalid('--config', `no file at ${file}`, 'a configuration file that can be read')
    return file
  }
  const inState = asked.state === undefined ? undefined : join(resolve(cwd, asked.state), 'davit.yml')
  if (inState !== undefined && existsSync(inState)) return inState
  if (asked.workspace !== undefined) {
    const file = join(resolve(cwd, asked.workspace), stateFolderName, 'davit.yml')
    return existsSync(file) ? file : null
  }
  // Inside a workspace that has a configuration of its own, a `davit.yml` among its files is a file like the others:
  // it may have come from anybody in the replica set, and must not say where passwords go.
  const own = ownFile(cwd)
  if (own !== null) return own
  return existsSync(join(cwd, 'davit.yml')) ? join(cwd, 'davit.yml') : null
}

/** `.davit/davit.yml` of the workspace that a folder is in; `null` when it is in none. */
function ownFile(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, stateFolderName, 'davit.yml')
    if (existsSync(file)) return file
    if (dirname(folder) === folder) return null
  }
}

function readFile(file: string): FileConfiguration {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (cause) {
    throw configurationError(`${file} cannot be read: ${reasonOf(cause)}`, cause)
  }
  if (source.length > configurationCharactersMax)
    throw configurationError(`${file} has more than ${configurationCharactersMax} characters`, undefined)
  if (nestsDeeper(source, configurationDepthMax))
    throw configurationError(`${file} nests deeper than ${configurationDepthMax} levels`, undefined)
  const document = parseDocument(source, {
    prettyErrors: true,
    uniqueKeys: true,
    // What is wrong is told by the errors; nothing is printed past them.
    logLevel: 'error',
  })
  const [error] = document.errors
  if (error !== undefined)
    throw configurationError(`${file} is not valid YAML: ${error.message.split('\n')[0]}`, error)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw configurationError(
      `${file} is not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    )
  }
  return check(value ?? {}, file, 'the file')
}

/** Names every place that is wrong, with what is expected there. */
function check(value: unknown, source: string, whole: string): FileConfiguration {
  const parsed = fileSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => {
    const place = issue.path.join('.')
    if (issue.code === 'unrecognized_keys') {
      const expected = knownKeys(issue.path)
      return issue.keys
        .map((key) => `${place === '' ? key : `${place}.${key}`}: unknown key, expected one of ${expected}`)
        .join('; ')
    }
    return `${place === '' ? whole : place}: ${issue.message}`
  })
  throw configurationError(`${source}: ${issues.join('; ')}`, undefined)
}

/** The keys that may stand at a place of the file. */
function knownKeys(place: readonly PropertyKey[]): string {
  let schema: z.ZodType = fileSchema
  for (const key of place) {
    const object: z.ZodType = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema
    const inner =
      object instanceof z.ZodObject ? (object.shape[String(key)] as z.ZodType | undefined) : undefined
    if (inner === undefined) return 'none'
    schema = inner
  }
  const object = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  return object instanceof z.ZodObject ? Object.keys(object.shape).join(', ') : 'none'
}

function fromOption<T>(name: string, value: unknown, schema: z.ZodType<T>): T | undefined {
  if (value === undefined) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  return invalid(name, JSON.stringify(value), parsed.error.issues.map((issue) => issue.message).join(', '))
}

function readSecret(file: string, place: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw configurationError(`${place}: ${file} cannot be read: ${reasonOf(cause)}`, cause)
  }
}

function reasonOf(cause: unknown): string {
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file (ENOENT)'
    case 'EISDIR':
      return 'it is a folder (EISDIR)'
    case 'EACCES':
      return 'this user may not (EACCES)'
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}

function invalid(place: string, found: string, expected: string, hint?: string): never {
  throw configurationError(`${place}: found ${found}, expected ${expected}`, undefined, hint)
}

function configurationError(message: string, cause: unknown, hint?: string): DavitError {
  return new DavitError('configuration-invalid', message, {
    action: 'ask',
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  })
}

function defined(options: ConfigurationOptions): ConfigurationOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
