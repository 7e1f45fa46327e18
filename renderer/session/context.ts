import { createContext } from 'svelte';
import type { Navigation } from '../navigation/Navigation.svelte.ts';
import type { Session } from './Session.svelte.ts';

export const [getSession, setSession] = createContext<Session>();
export const [getNavigation, setNavigation] = createContext<Navigation>();
