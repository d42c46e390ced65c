// Names of models, before anything is kept or queued.

import { MODEL_NAME, SwitchyardError } from '@switchyard/contracts'

/** @throws SwitchyardError `invalid_model` */
export const checkModel = (model: string): string => {
  if (MODEL_NAME.test(model)) return model
  throw new SwitchyardError('invalid_model', `${JSON.stringify(model)} is not provider/model`)
}
