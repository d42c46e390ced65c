// Checks model names before anything is stored or queued.

import { MODEL_NAME, SwitchyardError } from '@switchyard/contracts'

/** Returns the name if it is valid. @throws SwitchyardError `invalid_model` */
export const checkModel = (model: string): string => {
  if (MODEL_NAME.test(model)) return model
  throw new SwitchyardError('invalid_model', `model ${JSON.stringify(model)} does not have the form provider/model`)
}
