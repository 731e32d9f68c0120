/** Where the compiled code of a worker lies. Node cannot load TypeScript in a worker: from `src/` it is found in `dist/`. */
export function workerFile(name: 'scan-worker' | 'hash-worker' | 'watch-worker'): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../dist/workspace/' : './'
  return new URL(`${folder}${name}.js`, import.meta.url)
}
