import { mount } from 'svelte';
import App from './App.svelte';
import { Navigation } from './navigation/Navigation.svelte.ts';
import { pageLinks } from './session/page-link.ts';
import { Session } from './session/Session.svelte.ts';
import { Theme } from './theme/Theme.svelte.ts';
import './theme/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no element #app to draw into');
mount(App, {
  target,
  props: { session: new Session(pageLinks(window)), navigation: new Navigation(window), theme: new Theme(window) },
});
