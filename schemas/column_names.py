"""Further names for the spreadsheet's columns: translations, and names that depend on the values below them (R14e).

Keys are names of `schemas.columns.Column`; it compares names without case, accents, spaces and punctuation.
`SUGGESTED` never decides how a file is read: a person confirms what it suggests (R31).
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

# Names that carriers, PBXs, Teams and CRMs write, in more languages.
SUGGESTED: dict[str, tuple[str, ...]] = {
    "PHONE_NUMBER": (
        "DID Number", "DDI Number", "DID/DDI", "DIDs", "DDIs", "TN Number", "TNs", "Full TN", "Line URI", "LineURI",
        "On Prem Line URI", "Tel URI", "E.164 Number", "Number E164", "Phone E164", "E164 Format", "MSISDN Number",
        "Telephone Number (E.164)", "Phone Number (E.164)", "Directory Number", "DN", "Service Number",
        "Assigned Number", "Subscriber Number", "National Number", "Nationale Rufnummer", "International Number",
        "Internationale Rufnummer", "SDA", "Numéro SDA", "N° SDA", "Numéro DID", "Número DDI", "Número DID",
        "Numero DDI", "Numero DID", "DID-Nummer", "DDI-Nummer", "DID Rufnummer", "Doorkiesnummer", "Linea", "Ligne",
        "Rufnummernblock", "Rufnummernbereich", "Nummernblock", "Rufnummernstamm", "Kopfnummer", "Stammnummer",
        "Number Range", "DID Range", "DDI Range", "TN Range", "Tranche SDA", "Rango de numeración", "Nummerblok",
        "First Phone Number", "First Directory Number", "Starting DID", "Start DID", "Start Phone Number",
        "Starting Telephone Number", "Beginning TN", "From TN", "From DID", "Range From", "Block From", "Numbers",
        "Number(s)", "Phone No", "Phone Num", "Tel", "Tel.", "Tel No", "Tel Number", "Telno", "Telephone No",
        "Line Number", "Phone Line", "CLI", "ANI", "Caller ID Number", "Calling Number", "From", "Start", "First",
        "Von", "Beginn", "De", "Du", "Début", "Desde", "Inicio", "Inizio", "Van", "Rufnr", "Rufnr.", "Ruf-Nr.",
        "Tel.-Nr.", "Tel-Nr", "Telefon-Nr.", "Telefonnr", "Telefonnr.", "Rufnummern", "Telefonnummern",
        "Teilnehmernummer", "Teilnehmerrufnummer", "Anschlussnummer", "Anschluss", "Festnetznummer", "N° tél", "Tél",
        "N° d'appel", "Numéro d'appel", "Numéro de ligne", "Numéro complet", "N° appel", "Nº teléfono",
        "Nº de teléfono", "Num. teléfono", "Número telefónico", "Línea", "Numeración", "Nº telefone",
        "Nº de telefone", "Fone", "Numeração", "Linha", "N. telefono", "N. di telefono", "Num. telefono", "Utenza",
        "Utenza telefonica", "Numerazione", "Telefoonnr", "Telefoonnr.", "Tel.nr.", "Nummers", "Abonneenummer",
        "Numer telefonu", "Numer", "Nr telefonu", "Nr tel.", "Telefonszám", "Telefonní číslo", "Číslo",
        "Telefónne číslo", "Telefonnumer", "Tlf", "Tlf.nr.", "Puhelinnumero", "Puhelin", "Număr de telefon",
        "Telefon numarasi", "Numara", "Номер телефона", "Номер", "Телефон", "Номер телефону", "Αριθμός τηλεφώνου",
        "電話番号", "番号", "電話", "电话号码", "電話號碼", "号码", "號碼", "手机号码", "전화번호", "번호",
        "رقم الهاتف", "מספר טלפון",
    ),
    "COUNTRY_CODE": (
        "ISO Country Code", "ISO Code", "ISO2", "ISO3", "ISO 3166", "Alpha-2", "Country ISO", "Country ISO Code",
        "Country Name", "Country Prefix", "Country Dial Code", "Dial Code", "Dialing Code", "Dialling Code",
        "Int Code", "Intl Code", "International Code", "International Prefix", "Phone Country", "Phone Country Code",
        "Number Country", "LKZ", "Länderkürzel", "Ländername", "Internationale Vorwahl", "Code ISO", "Nom du pays",
        "Indicatif international", "Code du pays", "Código ISO", "Código país", "Prefijo país", "Código pais",
        "DDI país", "Nome do país", "Prefisso paese", "Prefisso nazionale", "Nazione", "Stato estero", "Landsnummer",
        "Landenummer", "Landkode", "Landskod", "Kraj", "Kod kraju", "Země", "Krajina", "Ország", "Maa", "Țară",
        "Ülke", "Ülke kodu", "Страна", "Код страны", "Χώρα", "国番号", "国", "国コード", "国家", "国家代码", "국가",
        "국가 코드",
    ),
    "VOICE": (
        "Voice Capable", "Voice Capability", "Voice Service", "Voice Active", "Is Voice", "Has Voice", "Calls",
        "Calling", "Call Enabled", "Inbound Voice", "Telephony", "Sprachdienst", "Anrufe", "Appels", "Téléphonie",
        "Llamadas", "Telefonía", "Chamadas", "Telefonia", "Chiamate", "Fonia", "Bellen", "Spraakdienst", "Głos", "Hlas",
        "音声", "音声通話", "语音", "음성", "Голос",
    ),
    "SMS": (
        "SMS Capable", "SMS Capability", "SMS Service", "SMS Active", "Is SMS", "Has SMS", "Texting",
        "Text Enabled", "Text Messaging", "Messaging", "Messaging Enabled", "Message Enabled", "SMS/MMS", "SMS MMS",
        "SMS-fähig", "SMS-Versand", "SMS aktiv", "SMS activé", "SMS activo", "SMS ativo", "SMS attivo", "SMS actief",
        "SMS-dienst", "SMS対応", "ショートメッセージ", "短信", "문자", "\u0421\u041c\u0421",
    ),
    "FAX": (
        "Fax Capable", "Fax Capability", "Fax Service", "Is Fax", "Has Fax", "T.38", "T38", "T38 Enabled", "Fax-fähig",
        "Faxdienst", "Fax activé", "Faks", "ファックス", "FAX対応", "传真", "팩스",
    ),
    "VOICE_CARRIER": (
        "Carrier Name", "Provider Name", "Voice Provider", "Service Provider", "Telco", "Telecom Provider", "ITSP",
        "SIP Provider", "SIP Carrier", "Trunk Provider", "Network Provider", "Network Operator", "Operator",
        "Operator Name", "Vendor", "Vendor Name", "Supplier", "Underlying Carrier", "Current Carrier", "SP Name",
        "Partner Name", "PSTN Partner Name", "PstnPartnerName", "Provider/Carrier", "Carrier/Provider",
        "Anbietername", "Netzanbieter", "Telefonanbieter", "Lieferant", "Provider-Name", "Betreiber", "Fournisseur",
        "Nom de l'opérateur", "Opérateur téléphonique", "Proveedor", "Nombre del operador", "Compañía telefónica",
        "Fornecedor", "Operadora de voz", "Nome da operadora", "Fornitore", "Gestore", "Gestore telefonico",
        "Aanbieder", "Leverancier", "Netwerk", "Operatör", "Operatør", "Dostawca", "Operatorzy", "Poskytovatel",
        "Szolgáltató", "Furnizor", "Оператор", "Провайдер", "事業者", "通信事業者", "キャリア", "运营商", "통신사",
    ),
    "SMS_CARRIER_PROFILE": (
        "SMS Provider", "SMS Provider Name", "SMS Vendor", "SMS Carrier Name", "Messaging Provider",
        "Messaging Profile", "Messaging Profile Name", "Messaging Carrier", "Text Provider", "SMS-Anbieter",
        "SMS-Provider", "Fournisseur SMS", "Proveedor SMS", "Proveedor de SMS", "Fornecedor SMS", "Fornitore SMS",
        "SMS-aanbieder", "Operator SMS",
    ),
    "TARGET": (
        "Enterprise Name", "Reseller Name", "Tenant Name", "Sub Account", "Subaccount", "Customer", "Customer Name",
        "Client Name", "Organization", "Organisation", "Assigned Enterprise", "Kundenname", "Mandantenname", "Firma",
        "Nom du client", "Société", "Nombre del cliente", "Nome do cliente", "Nome cliente", "Ragione sociale",
        "Klantnaam", "Bedrijf", "Klient", "Zákazník", "Ügyfél", "Клиент", "顧客", "顧客名", "客户",
    ),
    "USER": (
        "User Principal Name", "UserPrincipalName", "UPN", "Username", "User Name", "User Email Address", "E-Mail",
        "Email", "Email Address", "E-Mail-Adresse", "Mail", "Login", "Sign-in Address", "SIP Address", "Assigned User",
        "Adresse e-mail", "Courriel", "Correo", "Correo electrónico", "Endereço de e-mail", "Indirizzo e-mail",
        "E-mailadres", "Adres e-mail", "メールアドレス", "邮箱", "Эл. почта",
    ),
    "SERVICE": ("Service Type", "Number Service", "Assigned Service", "Dienstart", "Type de service"),
}  # fmt: skip

# Words by which cells name capabilities, such as “Voice+SMS” below "Type", in lower case.
CAPABILITY_WORDS: dict[str, tuple[str, ...]] = {
    "VOICE": (
        "voice", "call", "calls", "calling", "telephony", "speech", "sprache", "sprachtelefonie",
        "telefonie", "voix", "vocal", "vocale", "appels", "voz", "llamadas", "telefonía", "chamadas",
        "voce", "fonia", "chiamate", "spraak", "bellen", "głos", "音声", "通話", "语音",
    ),
    "SMS": ("sms", "text", "texting", "texts", "messaging", "messages", "短信", "문자"),
    "FAX": ("fax", "telefax", "t38", "t.38", "télécopie", "ファックス", "传真"),
}  # fmt: skip
