import { startFixed, startLimiter, startTutorial } from './bullmq.ts';
import { startCookbook } from './cookbook.ts';
import { startNightshift } from './nightshift.ts';
import type { PacingSide, PacingSideOptions, SideName } from './side.ts';

export async function startSide(name: SideName, options: PacingSideOptions): Promise<PacingSide> {
  switch (name) {
    case 'nightshift':
      return startNightshift(options);
    case 'tutorial':
      return startTutorial(options);
    case 'limiter':
      return startLimiter(options);
    case 'cookbook':
      return startCookbook(options);
    default:
      return startFixed(options, Number(name.slice('fixed-'.length)));
  }
}
