"""Further names for the spreadsheet's columns: translations, and names that depend on the values below them (R14e).

Keys are names of `schemas.columns.Column`; it compares names without case, accents, spaces and punctuation.
"""

from __future__ import annotations

# German, French, Spanish, Portuguese, Italian, Dutch.
TRANSLATIONS: dict[str, tuple[str, ...]] = {
    "COUNTRY_CODE": (
        "Ländercode", "Länderkennzahl", "Landesvorwahl", "Ländervorwahl", "Land",
        "Code pays", "Indicatif pays", "Indicatif", "Pays",
        "Código de país", "Código del país", "Prefijo internacional", "País",
        "Código do país", "Indicativo", "Indicativo do país",
        "Codice paese", "Prefisso internazionale", "Prefisso", "Paese",
        "Landcode", "Landnummer",
    ),
    "PHONE_NUMBER": (
        "Rufnummer", "Telefonnummer", "Telefon", "Nummer", "Durchwahl",
        "Erste Nummer", "Erste Rufnummer", "Startnummer", "Anfangsnummer", "Von Nummer",
        "Numéro", "Numéro de téléphone", "Téléphone", "N° de téléphone", "Premier numéro", "Numéro de début",
        "Número", "Número de teléfono", "Teléfono", "Primer número", "Número inicial",
        "Número de telefone", "Telefone", "Primeiro número",
        "Numero", "Numero di telefono", "Telefono", "Primo numero", "Numero iniziale",
        "Telefoonnummer", "Telefoon", "Eerste nummer", "Beginnummer",
    ),
    "VOICE": (
        "Sprache", "Sprachtelefonie", "Telefonie", "Voix", "Vocal", "Voz", "Voce", "Spraak", "Stem",
    ),
    "SMS": ("Textnachrichten", "Texto", "Mensajes", "Mensagens", "Messaggi", "Berichten"),
    "FAX": ("Telefax", "Télécopie", "Télécopieur"),
    "VOICE_CARRIER": (
        "Sprachcarrier", "Carrier", "Netzbetreiber", "Anbieter", "Opérateur", "Opérateur voix", "Operador",
        "Operador de voz", "Operadora", "Operatore", "Operatore voce", "Provider",
    ),
    "SMS_CARRIER_PROFILE": (
        "SMS-Profil", "SMS-Carrier-Profil", "Profil SMS", "Opérateur SMS", "Perfil SMS", "Perfil de SMS",
        "Operador SMS", "Profilo SMS", "Operatore SMS", "SMS-profiel",
    ),
    "TARGET": (
        "Unternehmen", "Wiederverkäufer", "Kunde", "Mandant", "Entreprise", "Revendeur", "Client", "Empresa",
        "Revendedor", "Cliente", "Azienda", "Rivenditore", "Onderneming", "Wederverkoper", "Klant",
    ),
    "USER": ("Benutzer", "Nutzer", "Utilisateur", "Usuario", "Utilizador", "Usuário", "Utente", "Gebruiker"),
    "SERVICE": ("Dienst", "Servicio", "Serviço", "Servizio"),
    "END_NUMBER": (
        "Ending TN", "Last TN", "To TN", "End DID", "Ending DID", "Last DID", "To DID", "DID End",
        "End Phone Number", "Ending Phone Number", "Last Phone Number", "To Phone Number", "Ending Telephone Number",
        "End Telephone Number",
        "Last Telephone Number", "Number End", "End of Range", "Range To", "Block To", "End of Block", "Range Last",
        "Endnummer", "Endrufnummer", "Letzte Nummer", "Letzte Rufnummer", "Bis Nummer", "Bis Rufnummer",
        "Nummer bis", "Rufnummer bis", "Dernier numéro", "Numéro de fin", "Último número", "Número final",
        "Ultimo numero", "Numero finale", "Laatste nummer", "Eindnummer",
    ),
    "BLOCK_SIZE": (
        "Size of Block", "Size of Range", "Numbers in Block", "Numbers in Range", "Count of Numbers", "DID Count",
        "Number Quantity", "Quantity of Numbers", "DID Quantity", "TN Count", "TN Quantity",
        "Blockgröße", "Anzahl Nummern", "Anzahl der Nummern", "Anzahl Rufnummern", "Anzahl der Rufnummern",
        "Taille du bloc", "Nombre de numéros", "Tamaño del bloque", "Cantidad de números", "Tamanho do bloco",
        "Quantidade de números", "Dimensione del blocco", "Quantità di numeri", "Blokgrootte", "Aantal nummers",
    ),
}  # fmt: skip

# Names that mean a column only if every value below them fits.
TENTATIVE: dict[str, tuple[str, ...]] = {
    "END_NUMBER": (
        "To", "End", "Ending", "Last", "Until", "Through", "Thru", "Up to", "Bis", "Ende", "Letzte", "Jusqu'à", "Fin",
        "Dernier", "Hasta", "Último", "Até", "Fino a", "Fine", "Ultimo", "Tot", "Tot en met", "t/m", "Einde", "Laatste",
    ),
    "BLOCK_SIZE": (
        "Quantity", "Qty", "Count", "Size", "Amount", "Numbers", "DIDs", "TNs", "No of numbers", "Anzahl", "Menge",
        "Größe", "Quantité", "Qté", "Nombre", "Taille", "Cantidad", "Tamaño", "Quantidade", "Qtd", "Tamanho",
        "Quantità", "Aantal", "Grootte",
    ),
}  # fmt: skip
