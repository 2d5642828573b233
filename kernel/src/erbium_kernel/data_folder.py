"""Where the files of a service are that are no Python: rules, migrations."""

from pathlib import Path


def data_folder(package: Path, name: str, holds: str) -> Path:
    """Beside the sources in a checkout, inside the package where it was installed as a wheel; told by the file that it `holds`.

    `package`: the folder of the package. Raises: FileNotFoundError: a service without its rules or migrations does not start.
    """
    for folder in (package / name, package.parents[1] / name):
        if (folder / holds).is_file():
            return folder
    raise FileNotFoundError(f"no {name}/{holds} near {package}: the folder must come with the service")
