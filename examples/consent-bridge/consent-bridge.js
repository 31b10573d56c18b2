/*
 * Copies the answer to a consent banner into a first-party cookie, for banners that keep it where no server can read it:
 * in localStorage or encrypted. How to include it: README.md. Licence: MIT or Apache-2.0, like the rest.
 *
 * The cookie says "granted" or "denied", and is not there while there is no answer. It never says "granted" before a
 * choice: where a banner's API tells a choice from a default, the API is asked; where it does not, only what changes by
 * the visitor's hand counts. Several banners must all say yes.
 */
(function () {
  'use strict';

  var script = document.currentScript;

  function setting(name, otherwise) {
    return (script && script.getAttribute('data-' + name)) || otherwise;
  }

  var COOKIE = setting('cookie', 'capi_consent');
  var DOMAIN = setting('domain', '');
  var CATEGORY = setting('category', '');
  var SERVICE = setting('service', '');
  var MAX_AGE = 180 * 24 * 60 * 60;
  /* Nobody answers a banner without touching anything; the banner may ask its own server before it says so. */
  var HAND = 5000;
  var META = /\b(facebook|meta)\b/i;

  /* What each banner says: granted, denied or '' for no answer. A banner that is not here says nothing. */
  var answers = {};
  var touched = 0;

  function cookie() {
    var found = ('; ' + document.cookie).split('; ' + COOKIE + '=')[1];
    return found ? found.split(';')[0] : '';
  }

  function answer(banner, said) {
    var word = 'granted';
    answers[banner] = said === 'granted' || said === 'denied' ? said : '';
    for (var name in answers) {
      if (answers[name] === 'denied' || (answers[name] === '' && word === 'granted')) {
        word = answers[name];
      }
    }
    if (DOMAIN) {
      /* What was left from before the domain was set would outlive the answer. */
      document.cookie = COOKIE + '=; Path=/; Max-Age=0';
    }
    document.cookie = COOKIE + '=' + word + '; Path=/; SameSite=Lax; Max-Age=' + (word ? MAX_AGE : 0) +
      (DOMAIN ? '; Domain=' + DOMAIN : '') + (location.protocol === 'https:' ? '; Secure' : '');
  }

  /* For what a banner says as a page begins and nobody need have chosen: it can take a yes away, never give one. */
  function confirm(banner, said) {
    var kept = cookie();
    answer(banner, !kept || !said ? '' : kept === said ? kept : 'denied');
  }

  function decide(banner, said) {
    if (Date.now() - touched < HAND) {
      answer(banner, said);
    } else {
      confirm(banner, said);
    }
  }

  function touch(event) {
    if (event.isTrusted) {
      touched = Date.now();
    }
  }

  window.addEventListener('pointerdown', touch, true);
  window.addEventListener('click', touch, true);
  window.addEventListener('keydown', touch, true);

  function isFunction(object, name) {
    return !!object && typeof object[name] === 'function';
  }

  function whenThere(ready, use) {
    var looks = 300;
    (function look() {
      if (ready()) {
        use();
      } else if (--looks) {
        setTimeout(look, 100);
      }
    })();
  }

  /* Whatever the site calls itself. */
  window.capiConsent = function (said) {
    answer('site', said);
  };

  /* Usercentrics: a service is { id, name, category, given, chosen }. Without a setting it takes the whole category, and
   * whatever bears Meta's name in any other. */
  function ofServices(services) {
    var category = CATEGORY || 'marketing';
    var there = false;
    var all = true;
    for (var i = 0; i < services.length; i++) {
      var service = services[i];
      var counts = SERVICE ? service.name === SERVICE || service.id === SERVICE : service.category === category;
      there = there || counts;
      if (counts || (!SERVICE && META.test(service.name))) {
        if (service.chosen && !service.given) {
          return 'denied';
        }
        all = all && service.chosen && service.given;
      }
    }
    return there && all ? 'granted' : '';
  }

  /* Usercentrics v3. https://usercentrics.com/docs/web/features/api/interfaces/#consentdetails */
  function usercentrics3(details) {
    var services = [];
    for (var id in (details && details.services) || {}) {
      var service = details.services[id];
      var consent = service.consent || {};
      var chosen = details.consent && details.consent.type === 'EXPLICIT' && consent.type === 'EXPLICIT';
      services.push({
        id: id,
        name: service.name,
        category: service.category,
        given: consent.given === true,
        chosen: chosen
      });
    }
    answer('usercentrics', ofServices(services));
  }

  /* Usercentrics v2. https://docs.usercentrics.com/cmp_browser_sdk/3.1.0/interfaces/Consent.html and
   * https://docs.usercentrics.com/cmp_browser_sdk/4.41.0/interfaces/ConsentHistory.html */
  function usercentrics2() {
    var services = [];
    var infos = window.UC_UI.getServicesBaseInfo() || [];
    for (var i = 0; i < infos.length; i++) {
      var info = infos[i];
      var consent = info.consent || {};
      var history = consent.history || [];
      var last = null;
      for (var j = 0; j < history.length; j++) {
        last = last && last.timestamp > history[j].timestamp ? last : history[j];
      }
      services.push({
        id: info.id,
        name: info.name,
        category: info.categorySlug,
        given: consent.status === true,
        chosen: !!last && last.type === 'explicit' && last.status === consent.status
      });
    }
    answer('usercentrics', ofServices(services));
  }

  var changes = 0;

  function usercentrics() {
    var api = window.__ucCmp;
    if (api) {
      var before = changes;
      api.getConsentDetails().then(function (details) {
        if (before === changes) {
          usercentrics3(details);
        }
      });
    } else if (isFunction(window.UC_UI, 'isInitialized') && window.UC_UI.isInitialized()) {
      usercentrics2();
    }
  }

  /* https://usercentrics.com/docs/web/features/v2/events_v2/events_v2/ and, for v3,
   * https://usercentrics.com/docs/web/features/events/uc-consent/ */
  window.addEventListener('UC_UI_INITIALIZED', usercentrics);
  window.addEventListener('UC_CONSENT', function (event) {
    changes++;
    usercentrics3(event.detail);
  });
  /* v2 says what was clicked before it has stored it. The last event has the name that its own documentation uses;
   * it comes where the site has set it up. */
  window.addEventListener('UC_UI_CMP_EVENT', function (event) {
    if (!window.__ucCmp && event.detail) {
      if (event.detail.type === 'DENY_ALL') {
        answer('usercentrics', 'denied');
      }
      setTimeout(usercentrics, 1000);
    }
  });
  window.addEventListener('UC_UI_VIEW_CHANGED', function () {
    if (!window.__ucCmp) {
      usercentrics();
    }
  });
  window.addEventListener(setting('usercentrics-event', 'ucEvent'), function () {
    if (!window.__ucCmp) {
      usercentrics();
    }
  });
  if (isFunction(window.__ucCmp, 'isInitialized')) {
    Promise.resolve(window.__ucCmp.isInitialized()).then(function (is) {
      if (is) {
        usercentrics();
      }
    });
  } else {
    usercentrics();
  }

  /* Termly. https://support.termly.io/en/articles/9674733-getting-consent-state-and-handling-consent-changes-with-termly
   * What it says before a choice depends on the visitor's region and is not documented, so it is not believed. */
  function termly(take) {
    var state = window.Termly.getConsentState();
    if (state) {
      var said = state[CATEGORY || 'advertising'];
      take('termly', said === true ? 'granted' : said === false ? 'denied' : '');
    }
  }

  whenThere(function () {
    return isFunction(window.Termly, 'on');
  }, function () {
    window.Termly.on('initialized', function () {
      termly(confirm);
    });
    window.Termly.on('consent', function () {
      termly(decide);
    });
  });

  /* Osano. https://developers.osano.com/cmp/javascript-api/developer-documentation-consent-javascript-api
   * In its permissive mode it saves an answer by itself while it starts, and has it on every later page
   * (https://github.com/GitbookIO/integrations/pull/1295). */
  function osano(consent) {
    var said = consent && consent[CATEGORY || 'MARKETING'];
    var sold = consent && consent.OPT_OUT === 'ACCEPT';
    return said === 'DENY' || sold ? 'denied' : said === 'ACCEPT' ? 'granted' : '';
  }

  whenThere(function () {
    return window.Osano && isFunction(window.Osano.cm, 'addEventListener');
  }, function () {
    var started = false;
    window.Osano.cm.addEventListener('osano-cm-initialized', function (consent) {
      started = true;
      confirm('osano', osano(consent));
    });
    window.Osano.cm.addEventListener('osano-cm-consent-saved', function (consent) {
      (started ? decide : confirm)('osano', osano(consent));
    });
  });

  /* Sourcepoint and every other banner of IAB's framework.
   * https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework: TCFv2, "CMP API v2", and
   * https://docs.sourcepoint.com/hc/en-us/articles/4405115143955-Google-additional-consent-GDPR-TCF
   * Meta is no vendor of the framework; Google's list, where there is one, has it as number 89. */
  function tcf(data) {
    var consents = (data.purpose && data.purpose.consents) || {};
    var all = consents[1] === true && consents[3] === true && consents[4] === true && consents[7] === true;
    if (typeof data.addtlConsent === 'string') {
      var listed = (data.addtlConsent.split('~')[1] || '').split('.');
      all = all && listed.indexOf('89') >= 0;
    }
    return all ? 'granted' : 'denied';
  }

  whenThere(function () {
    return isFunction(window, '__tcfapi');
  }, function () {
    window.__tcfapi('addEventListener', 2, function (data, success) {
      if (!success || !data || data.gdprApplies !== true) {
        return;
      }
      if (data.eventStatus === 'useractioncomplete' || data.eventStatus === 'tcloaded') {
        answer('tcf', tcf(data));
      } else if (data.eventStatus === 'cmpuishown' && cookie() === 'granted' && tcf(data) !== 'granted') {
        answer('tcf', '');
      }
    });
  });
})();
