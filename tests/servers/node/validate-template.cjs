// Reads one element template, or a list of them, from stdin; prints what Camunda's validator says of each.
// node validate-template.cjs FOLDER, where FOLDER holds node_modules
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { readFileSync } = require('node:fs')

const { validateZeebe } = createRequire(join(process.argv[2], 'here'))('@bpmn-io/element-templates-validator')

const given = JSON.parse(readFileSync(0, 'utf8'))
const results = (Array.isArray(given) ? given : [given]).map(template => {
  const { valid, errors } = validateZeebe(template)
  return { valid, errors: (errors || []).map(it => `${it.instancePath || '/'} ${it.message}`) }
})
process.stdout.write(JSON.stringify(results))
