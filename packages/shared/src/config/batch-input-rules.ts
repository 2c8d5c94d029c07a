import type { InputRules } from '../batch/index.ts';
import type { Endpoint } from '../job/index.ts';
import { routeModel, type Configuration } from './configuration.ts';

/** What the input of a batch is checked against, whoever checks it. */
export function batchInputRules(configuration: Configuration, endpoint: Endpoint): InputRules {
  const { limits } = configuration;
  return {
    endpoint,
    servesModel: (model) => routeModel(configuration, model) !== undefined,
    limits: {
      requests: limits.batchRequests,
      lineBytes: limits.jobBodyBytes,
    },
  };
}
