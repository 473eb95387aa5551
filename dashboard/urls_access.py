"""Addresses of people, sign-ins, tokens and settings."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views.people import api_tokens, console, invites, new, sign_ins, single_sign_on, user, users

urlpatterns: list[URLPattern] = [
    # Open to strangers: the two ways of signing in besides the password.
    path("invite/", invites.invite, name="invite"),
    path("login/sso/", single_sign_on.sso_login, name="sso_login"),
    # One's own account.
    path("account/sign-ins/end/", sign_ins.sign_ins_end_others, name="sign_ins_end_others"),
    path("sign-ins/<int:sign_in_id>/end/", sign_ins.sign_in_end, name="sign_in_end"),
    path("tokens/", api_tokens.tokens_list, name="tokens"),
    path("tokens.json", api_tokens.tokens_json, name="tokens_json"),
    path("tokens.csv", api_tokens.tokens_csv, name="tokens_csv"),
    path("tokens/new/", api_tokens.token_new, name="token_new"),
    path("tokens/<int:token_id>/rotate/", api_tokens.token_rotate, name="token_rotate"),
    path("tokens/<int:token_id>/revoke/", api_tokens.token_revoke, name="token_revoke"),
    # Everybody's.
    path("people/", users.users, name="users"),
    path("people.json", users.users_json, name="users_json"),
    path("people.csv", users.users_csv, name="users_csv"),
    path("people/new/", new.user_new, name="user_new"),
    path("people/<int:user_id>/", user.user, name="user"),
    path("people/<int:user_id>/access/", user.user_access, name="user_access"),
    path("people/<int:user_id>/active/", user.user_active, name="user_active"),
    path("people/<int:user_id>/delete/", user.user_delete, name="user_delete"),
    path("people/<int:user_id>/invite/", invites.user_invite, name="user_invite"),
    path("people/<int:user_id>/sign-ins/", sign_ins.user_sign_ins_end, name="user_sign_ins_end"),
    path("people/<int:user_id>/sso/", single_sign_on.user_sso_add, name="user_sso_add"),
    path(
        "people/<int:user_id>/sso/<int:name_id>/",
        single_sign_on.user_sso_remove,
        name="user_sso_remove",
    ),
    path("sign-ins/", sign_ins.sign_ins_list, name="sign_ins"),
    path("sign-ins.json", sign_ins.sign_ins_json, name="sign_ins_json"),
    path("sign-ins.csv", sign_ins.sign_ins_csv, name="sign_ins_csv"),
    path("sign-ins/failed/", console.failed_sign_ins, name="failed_sign_ins"),
    path("sign-ins/failed/forget/", console.failures_forget, name="failures_forget"),
    path("security/", console.security, name="security"),
    path("settings/", console.settings_list, name="settings"),
]
