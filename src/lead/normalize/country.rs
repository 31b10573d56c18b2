//! ISO 3166-1 countries, by code or by name.

use super::text::squeezed;

/// An ISO 3166-1 alpha-2 country, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// An alpha-2 code of a country that exists, in either case.
    #[must_use]
    pub fn from_alpha2(code: &str) -> Option<Self> {
        let upper = code.trim().to_ascii_uppercase();
        rust_iso3166::from_alpha2(&upper)?;
        upper.as_bytes().try_into().ok().map(Self)
    }

    /// An alpha-2 or alpha-3 code, the English name, or the name in one of the languages of [`NAMES`]. Exact: no part of a
    /// name, no first two letters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let trimmed = name.trim();
        if let Some(country) = Self::from_alpha2(trimmed) {
            return Some(country);
        }
        if let Some(country) = rust_iso3166::from_alpha3(&trimmed.to_ascii_uppercase()) {
            return Self::from_alpha2(country.alpha2);
        }
        let name = squeezed(trimmed);
        if name.is_empty() {
            return None;
        }
        let local = NAMES.iter().find(|(_, names)| names.split(' ').any(|known| known == name)).map(|(code, _)| *code);
        let english = || {
            let known =
                |full: &str| squeezed(full) == name || squeezed(full.split('(').next().unwrap_or_default()) == name;
            rust_iso3166::ALL.iter().find(|country| known(country.name)).map(|country| country.alpha2)
        };
        Self::from_alpha2(local.or_else(english)?)
    }

    /// The code, upper case.
    #[must_use]
    pub fn alpha2(self) -> String {
        self.0.iter().map(|byte| char::from(*byte)).collect()
    }

    /// The code as Meta wants it.
    #[must_use]
    pub fn alpha2_lower(self) -> String {
        self.alpha2().to_ascii_lowercase()
    }
}

/// Names that forms offer, squeezed: English short forms, German, French, Spanish, Italian, Portuguese, Dutch, Polish,
/// Swedish, and the country's own.
pub const NAMES: [(&str, &str); 64] = [
    (
        "GB",
        "uk unitedkingdom greatbritain britain england scotland wales northernireland vereinigteskönigreich großbritannien royaumeuni angleterre reinounido granbretaña regnounito granbretagna reinounido verenigdkoninkrijk wielkabrytania zjednoczonekrólestwo storbritannien",
    ),
    (
        "US",
        "usa us unitedstates unitedstatesofamerica america vereinigtestaaten vereinigtestaatenvonamerika etatsunis étatsunis estadosunidos statiuniti estadosunidosdaamérica verenigdestaten stanyzjednoczone usaförentastaterna förentastaterna",
    ),
    ("DE", "germany deutschland allemagne alemania germania alemanha duitsland niemcy tyskland"),
    ("AT", "austria österreich oesterreich autriche áustria oostenrijk austria österrike"),
    ("CH", "switzerland schweiz suisse suiza svizzera suíça zwitserland szwajcaria"),
    ("FR", "france frankreich francia frança frankrijk francja frankrike"),
    ("ES", "spain spanien espagne españa spagna espanha spanje hiszpania"),
    ("IT", "italy italien italie italia itália italië włochy"),
    ("PT", "portugal portogallo portugalia"),
    (
        "NL",
        "netherlands thenetherlands holland niederlande paysbas paísesbajos países bajos holanda paesibassi olanda paísesbaixos nederland holandia niderlandy nederländerna",
    ),
    ("BE", "belgium belgien belgique bélgica belgio bélgica belgië belgia"),
    ("LU", "luxembourg luxemburg luxemburgo lussemburgo luksemburg"),
    ("PL", "poland polen pologne polonia polónia polônia polska"),
    ("SE", "sweden schweden suède suecia svezia suécia zweden szwecja sverige"),
    ("NO", "norway norwegen norvège noruega norvegia noorwegen norwegia norge"),
    ("DK", "denmark dänemark danemark dinamarca danimarca denemarken dania danmark"),
    ("FI", "finland finnland finlande finlandia finlândia suomi"),
    ("IS", "iceland island islande islandia islanda islândia ijsland"),
    ("IE", "ireland irland irlande irlanda ierland irlandia éire"),
    (
        "CZ",
        "czechia czechrepublic tschechien tschechischerepublik tchéquie républiquetchèque chequia repúblicacheca cechia repubblicaceca chéquia tsjechië czechy tjeckien česko českárepublika",
    ),
    ("SK", "slovakia slowakei slovaquie eslovaquia slovacchia eslováquia slowakije słowacja slovakien slovensko"),
    ("HU", "hungary ungarn hongrie hungría ungheria hungria hongarije węgry ungern magyarország"),
    ("SI", "slovenia slowenien slovénie eslovenia eslovénia slovenië słowenia slovenien slovenija"),
    ("HR", "croatia kroatien croatie croacia croazia croácia kroatië chorwacja hrvatska"),
    ("RO", "romania rumänien roumanie rumania rumanía roménia romênia roemenië rumunia rumänien românia"),
    ("BG", "bulgaria bulgarien bulgarie bulgária bulgarije bułgaria българия"),
    ("GR", "greece griechenland grèce grecia grécia griekenland grecja grekland ελλάδα"),
    ("TR", "turkey türkei turquie turquía turchia turquia turkije turcja turkiet türkiye"),
    ("CY", "cyprus zypern chypre chipre cipro cypr cypern"),
    ("MT", "malta malte"),
    ("EE", "estonia estland estonie estónia estônia eesti"),
    ("LV", "latvia lettland lettonie letonia lettonia letónia letônia letland łotwa latvija"),
    ("LT", "lithuania litauen lituanie lituania lituânia litouwen litwa lietuva"),
    ("LI", "liechtenstein"),
    ("RS", "serbia serbien serbie sérvia servië serbia srbija"),
    ("BA", "bosniaandherzegovina bosnienundherzegowina bosnia"),
    ("UA", "ukraine ucrania ucraina ucrânia oekraïne ukraina україна"),
    ("RU", "russia russland russie rusia rússia rusland rosja ryssland россия"),
    ("CA", "canada kanada canadá"),
    ("MX", "mexico mexiko mexique méxico messico meksyk"),
    ("BR", "brazil brasilien brésil brasil brasile brazilië brazylia"),
    ("AR", "argentina argentinien argentine argentinië argentyna"),
    ("CL", "chile chili cile"),
    ("CO", "colombia kolumbien colombie colômbia kolumbia"),
    ("PE", "peru pérou perú perù"),
    ("VE", "venezuela"),
    ("BO", "bolivia bolivien bolívia"),
    ("EC", "ecuador équateur equador"),
    ("UY", "uruguay uruguai urugwaj"),
    ("AU", "australia australien australie austrália australië"),
    (
        "NZ",
        "newzealand neuseeland nouvellezélande nuevazelanda nuovazelanda novazelândia nieuwzeeland nowazelandia nyazeeland",
    ),
    ("JP", "japan japon japón giappone japão japonia 日本"),
    ("CN", "china chine cina chiny kina 中国"),
    ("IN", "india indien inde índia indie"),
    (
        "KR",
        "southkorea korea südkorea coréedusud coreadelsur coreadelsud coreiadosul zuidkorea koreapołudniowa sydkorea 대한민국",
    ),
    ("KP", "northkorea nordkorea"),
    ("TW", "taiwan"),
    ("VN", "vietnam"),
    (
        "ZA",
        "southafrica südafrika afriquedusud sudáfrica sudafrica áfricadosul zuidafrika republikapołudniowejafryki sydafrika",
    ),
    ("MA", "morocco marokko maroc marruecos marocco marrocos maroko marocko"),
    ("EG", "egypt ägypten égypte egipto egitto egito egypte egipt egypten"),
    ("IL", "israel israël israele izrael"),
    (
        "AE",
        "uae unitedarabemirates vereinigtearabischeemirate émiratsarabesunis emiratosárabesunidos emiratiarabiuniti emiradosárabesunidos",
    ),
    ("CI", "ivorycoast elfenbeinküste côtedivoire costademarfil costadavorio"),
];
