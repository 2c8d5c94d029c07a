import { changeCommand } from '../pause-resume.ts';

export const runResume = changeCommand('resume');
