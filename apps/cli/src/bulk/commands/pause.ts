import { changeCommand } from '../pause-resume.ts';

export const runPause = changeCommand('pause');
