"""What a file is for, by its path: tests, dependencies, configuration, migrations, licences, code that security rests on.

Called by the guards and by the mirror's reader, so that both mean the same. A name is a stranger's choice: a path can make
a guard look closer, never look away.
"""

from __future__ import annotations

import re
from typing import Final

_TEST: Final = (
    r"(^|/)(tests?|testing|__tests__|specs?|e2e|unittests?)/"
    r"|(^|/)(test_[^/]*|[^/]*_test|tests|conftest)\.py$"
    r"|(_test\.(go|rb|cc|cpp|exs|dart)|_spec\.rb|[._-](test|spec)\.[cm]?[jt]sx?|Tests?\.(java|kt|cs|swift|php|scala))$"
)
_CODE: Final = r"\.(py|pyx|[cm]?[jt]sx?|go|rs|java|kts?|scala|cs|fs|rb|php|swift|mm?|c|h|cc|cpp|cxx|hpp|exs?|erl|dart|lua|pl|pm|r|jl|vue)$"
_MANIFEST: Final = (
    r"(^|/)(pyproject\.toml|setup\.(py|cfg)|[^/]*requirements[^/]*\.(txt|in)|requirements/[^/]+\.(txt|in)|constraints[^/]*\.txt"
    r"|pipfile|environment\.ya?ml|package\.json|go\.(mod|work)|cargo\.toml|gemfile|[^/]*\.gemspec|pom\.xml"
    r"|build\.gradle(\.kts)?|libs\.versions\.toml|composer\.json|mix\.exs|pubspec\.yaml|package\.swift|[^/]*\.csproj"
    r"|directory\.packages\.props|deno\.jsonc?)$"
)
_LOCK: Final = (
    r"(^|/)(poetry\.lock|uv\.lock|pdm\.lock|pylock[^/]*\.toml|pipfile\.lock|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock"
    r"|pnpm-lock\.yaml|bun\.lockb?|go\.sum|cargo\.lock|gemfile\.lock|composer\.lock|mix\.lock|pubspec\.lock|gradle\.lockfile"
    r"|packages\.lock\.json|flake\.lock)$|(^|/)vendor/modules\.txt$"
)
_CONFIGURATION: Final = (
    r"(^|/)(dockerfile[^/]*|[^/]*\.dockerfile|containerfile|(docker-)?compose[^/]*\.ya?ml|\.dockerignore|makefile|gnumakefile"
    r"|justfile|taskfile\.ya?ml|cmakelists\.txt|tox\.ini|noxfile\.py|tasks\.py|pytest\.ini|\.coveragerc|conftest\.py|setup\.(py|cfg)"
    r"|pyproject\.toml|package\.json|\.pre-commit-config\.yaml|\.npmrc|\.yarnrc(\.yml)?|\.pypirc|pip\.conf|\.netrc|\.envrc|\.env[^/]*"
    r"|(babel|jest|vite|vitest|webpack|rollup|next|nuxt|playwright|eslint|karma)\.config\.[cm]?[jt]s|\.babelrc[^/]*|\.eslintrc[^/]*"
    r"|tsconfig[^/]*\.json|gruntfile\.js|gulpfile\.js|procfile|vercel\.json|netlify\.toml|fly\.toml|serverless\.ya?ml|skaffold\.yaml"
    r"|chart\.yaml|values[^/]*\.yaml|kustomization\.ya?ml|gradle\.properties|settings\.gradle(\.kts)?|nginx\.conf|renovate\.json5?"
    r"|settings\.py|local_settings\.py|application[^/]*\.(ya?ml|properties)|build\.rs|\.cargo/config(\.toml)?|rust-toolchain(\.toml)?)$"
    r"|\.(tf|tfvars|hcl|nomad|service|timer|bazelrc|bzl|mk)$|(^|/)(terraform|ansible|helm|charts|k8s|kubernetes|\.devcontainer)/"
)
_MIGRATION: Final = (
    r"(^|/)(migrations?|alembic|db/migrate|flyway|liquibase|changelogs?/db)/(?!.*\.(md|rst|txt)$)"
    r"|(^|/)(schema\.(rb|prisma|sql)|structure\.sql|v\d+(_\d+)*__[^/]+\.sql)$|\.sql$"
)
_SECURITY: Final = (
    r"(^|[/_.-])(auth|oauth2?|oidc|saml|login|logout|password|crypto|permission|acl|rbac|session|csrf|cors|jwt|token|secret"
    r"|payment|billing|sandbox|sanitiz(e|er)|certificate|tls|ssl)s?([/_.-]|$)"
)
_LICENCE: Final = r"(^|/)((un)?licen[cs]e|copying|copyright|notice|patents)([._-][^/]*)?$|(^|/)licenses/"
_PROSE: Final = r"\.(md|rst|txt|adoc|png|svg|jpg)$|(^|/)docs?/"


def is_test(path: str) -> bool:
    """A file of tests, in the customs of the common languages, or anything in a folder of tests."""
    return _fits(_TEST, path)


def is_code(path: str) -> bool:
    """Source that runs, whatever it is for."""
    return _fits(_CODE, path)


def is_manifest(path: str) -> bool:
    """Names the packages that a project asks for."""
    return _fits(_MANIFEST, path)


def is_lock(path: str) -> bool:
    """Names the exact packages that are installed."""
    return _fits(_LOCK, path)


def is_configuration(path: str) -> bool:
    """Steers how the product is built, tested, deployed or run."""
    return _fits(_CONFIGURATION, path)


def is_migration(path: str) -> bool:
    """Changes a database, which a revert does not bring back."""
    return _fits(_MIGRATION, path)


def is_security(path: str) -> bool:
    """Code, by whose name security depends on it."""
    return _fits(_SECURITY, path) and not is_test(path) and not _fits(_PROSE, path)


def is_licence(path: str) -> bool:
    """Says under which terms the code may be used."""
    return _fits(_LICENCE, path) and not is_code(path)


def _fits(pattern: str, path: str) -> bool:
    """Whatever its case. A pattern is compiled when it is first asked for (`re` keeps it): a mirror child asks for few, if any."""
    return re.search(pattern, path, re.IGNORECASE) is not None
